import Evaluate
import Foundation
import Imaging
import Kernels
import Network
import System
import TestSupport
import Testing

@testable import Runtime

/// Memory is counted before it is allocated, allocated once, and never for two copies of the model.
@Suite struct MemoryTests {
    /// The number of allocations of a run over `count` frames, on all its threads.
    private func allocations(_ count: Int, of frame: [UInt8], _ arguments: [String]) throws -> Int {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let input = try folder.file("stream", Array([[UInt8]](repeating: frame, count: count).joined()))
        let result = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--every-frame"] + arguments,
            shell: "cd '\(folder.path)'; ALLOCATION_COUNTER_FILE=count LD_PRELOAD='\(Program.allocationCounter.path)' \"$@\" <'\(input)' >lines")
        #expect(result.status == 0 && result.errors.contains("\(count) of \(count) frames segmented"), "\(result.errors)")
        let text = try String(contentsOfFile: folder.path("count"), encoding: .utf8)
        return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }

    /// Allocations of each frame after the first forty: by then every place in the sinks' queues has held a line.
    private func allocationsPerFrame(_ frame: [UInt8], _ arguments: [String]) throws -> Double {
        let few = try allocations(40, of: frame, arguments)
        let many = try allocations(120, of: frame, arguments)
        return Double(many - few) / 80
    }

    private static let frame = [UInt8]((0..<28800).map { UInt8(truncatingIfNeeded: $0 / 9) })

    /// From the pipe to the line, on every thread. The few allocations left are those of the summary, once a run.
    @Test(arguments: ["panoptic", "semantic", "instance"], [1, 2])
    func framesAllocateNothing(task: String, threads: Int) throws {
        let each = try allocationsPerFrame(
            Self.frame, ["--stdin", "yuv420:160x120", "--task", task, "--threads", "\(threads)", "--json", "-", "--json", "copy.json"])
        #expect(abs(each) < 0.1, "\(each) allocations a frame")
    }

    /// Allocations of libjpeg, libpng and the drawing of overlays, which free them again: 14 for a JPEG picture, about 100 for an overlay with a label map.
    @Test func picturesAllocateALittle() throws {
        let jpeg = try allocationsPerFrame(try Fixture.bytes("pictures/baseline_420.jpg"), ["--stdin", "mjpeg"])
        #expect(jpeg < 20, "\(jpeg) allocations a JPEG picture")
        let drawn = try allocationsPerFrame(Self.frame, ["--stdin", "yuv420:160x120", "--overlay", "overlays", "--labels", "labels", "--keep", "2"])
        #expect(drawn < 200, "\(drawn) allocations an overlay and label map")
    }

    /// Sizes of pictures and, after it, of the network's input.
    private static let geometries: [PictureGeometry] = [
        ((64, 64), (64, 64)), ((300, 420), (128, 179)), ((33, 700), (32, 673)), ((400, 300), (160, 128)), ((17, 5), (32, 32)), ((1100, 90), (391, 32)),
        ((96, 96), (320, 320)),
    ].map { picture, inner in
        let inner = Size(height: inner.0, width: inner.1)
        let padded = Size(height: (inner.height + 31) / 32 * 32, width: (inner.width + 31) / 32 * 32)
        return PictureGeometry(picture: Size(height: picture.0, width: picture.1), inner: inner, padded: padded)
    }

    private func segment(_ engine: Engine, _ geometry: PictureGeometry, _ task: Task) throws {
        let pixels = (0..<geometry.inner.area * 3).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 16) }
        _ = try pixels.withUnsafeBufferPointer { try engine.segment($0.baseAddress!, geometry: geometry, task: task) { _ in } }
    }

    /// A frame takes the scratch memory that its plan counts, to the byte, and no more than all queries and classes of the picture would.
    @Test(arguments: KernelSet.all.filter(\.isSupported).map { "\($0.name)" }, [1, 2, 3])
    func planIsWhatFramesUse(instructionSet: String, threads: Int) throws {
        let tiny = try TinyModel.shared.get()
        let kernels = try #require(KernelSet.named(instructionSet))
        for geometry in Self.geometries {
            for task in [Task.panoptic, .semantic, .instance] {
                let engine = try Engine(model: tiny.model, vocabulary: tiny.vocabulary, kernels: kernels, threads: threads)
                let arithmetic = engine.arithmetic
                try engine.prepare(geometry, task: task)
                let before = arithmetic.scratchBytes
                try segment(engine, geometry, task)
                #expect(arithmetic.scratchBytes == before, "\(geometry) \(task) outgrew its plan")
                let plan = engine.plan(geometry, task: task)
                #expect(plan.shared == arithmetic.arena.peak, "\(geometry) \(task): \(plan.shared) planned, \(arithmetic.arena.peak) used")
                let used = arithmetic.workers.map(\.peak).max()
                #expect(plan.perThread == used, "\(geometry) \(task): \(plan.perThread) planned for each thread, \(used ?? 0) used")
            }
        }
    }

    /// One engine for all sizes and tasks in turn; counting in between changes nothing.
    @Test func plansHoldWhenSizesChange() throws {
        let tiny = try TinyModel.shared.get()
        let engine = try Engine(model: tiny.model, vocabulary: tiny.vocabulary, kernels: .best, threads: 2)
        for geometry in Self.geometries + Self.geometries.reversed() {
            for task in [Task.panoptic, .semantic, .instance] {
                try engine.prepare(geometry, task: task)
                let before = engine.arithmetic.scratchBytes
                for _ in 0..<2 {
                    let plan = engine.plan(geometry, task: task)
                    #expect(plan.shared > 0 && plan.perThread > 0 && plan.results >= 2 * geometry.picture.area)
                    try segment(engine, geometry, task)
                }
                #expect(engine.arithmetic.scratchBytes == before, "\(geometry) \(task) outgrew its plan")
            }
        }
    }

    /// Other sizes, larger and smaller, give the same segments as a fresh engine.
    @Test func sizesMayChange() throws {
        let tiny = try TinyModel.shared.get()
        let picture = try TinyModel.picture.get()
        let folder = try TemporaryFolder()
        for (name, source) in [("a.jpg", picture), ("b.png", try Fixture.path("pictures/synth_161x97.png")), ("c.jpg", picture)] {
            try FileManager.default.copyItem(atPath: source, toPath: folder.path(name))
        }
        let output = try TemporaryFolder()
        #expect(try tiny.segment(["--image", folder.path, "--labels", output.path("all")]).status == 0)
        for name in try folder.contents() {
            #expect(try tiny.segment(["--image", folder.path(name), "--labels", output.path(name + ".png")]).status == 0)
            #expect(try Data(contentsOf: URL(filePath: output.path("all/" + name + ".png"))) == Data(contentsOf: URL(filePath: output.path(name + ".png"))))
        }
    }

    /// Peak resident memory at 512x512: at most 1.3 times the model file and 60 MB.
    @Test func residentMemoryIsBounded() throws {
        let tiny = try TinyModel.shared.get()
        let result = try Program.edge.run(["bench", "--model", tiny.model, "--vocab", tiny.vocabulary, "--frames", "1", "--json", "-"])
        #expect(result.status == 0, "\(result.errors)")
        let report = try JSONDecoder().decode(BenchTests.Report.self, from: Data(result.output.utf8))
        let size = try #require(try FileManager.default.attributesOfItem(atPath: tiny.model)[.size] as? Int)
        #expect(report.peak_resident_bytes <= size * 13 / 10 + 60_000_000, "\(report.peak_resident_bytes)")
    }
}
