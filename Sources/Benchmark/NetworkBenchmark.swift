import Imaging
import Kernels
import ModelFormat
import Network
import Runtime
import System

/// A whole network, frame after frame, measured stage by stage.
public final class NetworkBenchmark {
    /// A stage, or a step inside one: the median time over all frames, and the multiply-adds of one.
    public struct Entry {
        public let name: String
        public let milliseconds: Double
        public let multiplyAdds: Int
    }

    public struct Stage {
        public let entry: Entry
        /// Steps of the arithmetic that took time; what is left belongs to everything between them.
        public let steps: [Entry]
        /// The GEMM kernels in these steps, without what finishes their sums: the time of all threads divided by their number.
        public let gemms: Entry
    }

    public struct Report {
        public let stages: [Stage]
        /// Of whole frames; `least` is the fastest one's milliseconds.
        public let total: Entry
        public let least: Double
        /// Multiply-adds a second, see `measuredPeak`.
        public let peak: Double
        /// Size of the network's input, before padding.
        public let input: Size
        public let picture: Size
        public let frames: Int
        /// Milliseconds of processor time from the program's start to opening the files, and of reserving the frames' memory.
        public let startMilliseconds: Double
        /// Milliseconds from opening both files to having checked their headers, and from there to the last packed weight and what is computed of weights alone.
        public let openMilliseconds: Double
        public let packMilliseconds: Double
        public let packedBytes: Int
        public let scratchBytes: Int
        /// Nil where the system does not report it.
        public let peakResidentBytes: Int?
    }

    /// The time of one stage in one frame.
    private struct Sample {
        let name: StaticString
        let milliseconds: Double
        let steps: [Measure]
        let gemms: Measure
    }

    public let model: ModelFile
    public let vocabulary: Vocabulary
    let arithmetic: MeasuredArithmetic
    private let meter: GemmMeter
    private let engine: SegmentationEngine<MeasuredArithmetic>
    private let startMilliseconds: Double
    private let openMilliseconds: Double
    private let packMilliseconds: Double

    /// - Throws: as `Engine` does.
    public init(model: String, vocabulary: String, kernels: KernelSet, threads: Int) throws(Fault) {
        startMilliseconds = processorMilliseconds()
        let start = monotonicMilliseconds()
        self.model = try ModelFile(path: model)
        self.vocabulary = try Vocabulary(path: vocabulary)
        let opened = monotonicMilliseconds()
        let meter = GemmMeter()
        self.meter = meter
        var kernels = kernels
        kernels.meter = { meter.measure($0, $1) }
        arithmetic = MeasuredArithmetic(try IntegerArithmetic(self.model, kernels: kernels, threads: threads))
        engine = try SegmentationEngine(model: self.model, vocabulary: self.vocabulary, arithmetic: arithmetic, threads: threads)
        openMilliseconds = opened - start
        packMilliseconds = monotonicMilliseconds() - opened
    }

    /// Segments `picture`, resized to `input` (default: as the model wants it), once unmeasured and `frames` times measured. - Throws: when the machine lacks the memory.
    public func run(_ picture: Picture, input: Size?, task: Task, frames: Int) throws(Fault) -> Report {
        let resizer = BilinearResizer()
        let preprocessing = Preprocessing(shortestEdge: model.shortestEdge, maximumSize: model.longestEdge)
        let inner = input ?? preprocessing.resizedSize(of: picture.size)
        let geometry = PictureGeometry(picture: picture.size, inner: inner, padded: preprocessing.paddedSize(of: inner))
        let resized = UnsafeMutablePointer<UInt8>.allocate(capacity: inner.area * 3)
        defer { resized.deallocate() }
        let start = monotonicMilliseconds()
        try engine.prepare(geometry, task: task)
        let startMilliseconds = startMilliseconds + monotonicMilliseconds() - start
        var peak = measuredPeak(of: arithmetic.base.kernels, on: arithmetic.base.pool)
        var samples: [[Sample]] = []
        for frame in 0...frames {
            var stages: [Sample] = []
            var last = monotonicMilliseconds()
            func clock(_ name: StaticString) {
                let now = monotonicMilliseconds()
                stages.append(
                    Sample(name: name, milliseconds: now - last, steps: arithmetic.takeMeasures(), gemms: meter.take(threads: arithmetic.base.pool.threads)))
                last = monotonicMilliseconds()
            }
            picture.withPixels { resizer.resize($0, size: picture.size, into: resized, size: inner) }
            clock("preprocessing")
            _ = try engine.segment(resized, geometry: geometry, task: task, clock: clock)
            if frame > 0 { samples.append(stages) }
        }
        peak = max(peak, measuredPeak(of: arithmetic.base.kernels, on: arithmetic.base.pool))
        let totals = samples.map { $0.reduce(0) { $0 + $1.milliseconds } }
        let stages = samples[0].indices.map { index in stage(samples.map { $0[index] }) }
        return Report(
            stages: stages,
            total: Entry(name: "total", milliseconds: median(totals), multiplyAdds: stages.reduce(0) { $0 + $1.entry.multiplyAdds }),
            least: totals.min() ?? 0, peak: peak, input: inner, picture: picture.size, frames: frames,
            startMilliseconds: startMilliseconds, openMilliseconds: openMilliseconds, packMilliseconds: packMilliseconds,
            packedBytes: arithmetic.base.packedBytes, scratchBytes: arithmetic.base.scratchBytes, peakResidentBytes: peakResidentBytes())
    }

    /// One stage over all frames.
    private func stage(_ samples: [Sample]) -> Stage {
        var steps: [Entry] = []
        var multiplyAdds = 0
        for step in MeasuredArithmetic.Step.allCases {
            let measures = samples.map { $0.steps[step.rawValue] }
            guard measures[0].milliseconds > 0 else { continue }
            multiplyAdds += measures[0].multiplyAdds
            steps.append(Entry(name: "\(step.name)", milliseconds: median(measures.map { $0.milliseconds }), multiplyAdds: measures[0].multiplyAdds))
        }
        let entry = Entry(name: "\(samples[0].name)", milliseconds: median(samples.map { $0.milliseconds }), multiplyAdds: multiplyAdds)
        let gemms = Entry(name: "GEMM kernels", milliseconds: median(samples.map { $0.gemms.milliseconds }), multiplyAdds: samples[0].gemms.multiplyAdds)
        return Stage(entry: entry, steps: steps, gemms: gemms)
    }
}

/// The middle value; the mean of both where there are two. - Precondition: not empty.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}

extension Picture {
    /// A picture for measurements where none is given: soft colours with edges, the same in every run.
    public static func pattern(_ size: Size) -> Picture {
        let picture = Picture(size: size)
        picture.withPixels { pixels in
            for y in 0..<size.height {
                for x in 0..<size.width {
                    let pixel = pixels + (y * size.width + x) * 3
                    let tile = (x / 37 + y / 53) % 5
                    pixel[0] = UInt8(truncatingIfNeeded: x * 200 / size.width + tile * 11)
                    pixel[1] = UInt8(truncatingIfNeeded: y * 200 / size.height + tile * 7)
                    pixel[2] = UInt8(truncatingIfNeeded: (x ^ y) & 63 + tile * 38)
                }
            }
        }
        return picture
    }
}
