import CSystem
import Imaging
import Kernels
import ModelFormat
import Network
import Runtime
import Sinks
import System

/// Turns resized pictures into segments and JSON lines, for pictures and streams alike.
final class Inference {
    let engine: Engine
    let preprocessor: Preprocessor
    private(set) var legend: Legend
    private let task: Task
    private let withMasks: Bool
    private let model: SegmentsRecord.Source
    private var vocabulary: SegmentsRecord.Source
    /// Of the picture whose clock runs.
    private(set) var stages: [SegmentsRecord.Stage] = []
    private var start = 0.0, last = 0.0
    private var writer = SegmentsRecord.Writer()

    /// - Throws: when the model or the vocabulary cannot be used.
    init(_ options: Options) throws(Fault) {
        engine = try Engine(model: options.model, vocabulary: options.vocabulary, kernels: options.kernels, threads: options.threads)
        preprocessor = Preprocessor(Preprocessing(shortestEdge: engine.model.shortestEdge, maximumSize: engine.model.longestEdge))
        legend = Legend(engine.vocabulary)
        task = options.task
        withMasks = options.masks
        model = SegmentsRecord.Source(path: options.model, identity: engine.model.identity)
        vocabulary = SegmentsRecord.Source(path: options.vocabulary, identity: engine.vocabulary.identity)
        stages.reserveCapacity(16)
    }

    /// Uses the classes of `vocabulary`, read from `path`, from now on. - Throws: when it does not fit the model; then nothing changes.
    func adopt(_ vocabulary: Vocabulary, path: String) throws(Fault) {
        try engine.adopt(vocabulary)
        legend = Legend(vocabulary)
        self.vocabulary = SegmentsRecord.Source(path: path, identity: vocabulary.identity)
    }

    /// Starts the clock of a picture.
    func begin() {
        stages.removeAll(keepingCapacity: true)
        start = monotonicMilliseconds()
        last = start
    }

    /// Ends a stage.
    func clock(_ name: StaticString) {
        let now = monotonicMilliseconds()
        stages.append(SegmentsRecord.Stage(name: name, milliseconds: now - last))
        last = now
    }

    /// Segments what the preprocessor holds: a picture of `size`.
    ///
    /// - Parameter inspect: reads the network's prediction when the clock has stopped; then it is gone.
    /// - Throws: when the machine lacks the memory, and what `inspect` throws.
    func segment(_ size: Size, inspect: (Prediction) throws(Fault) -> Void = { _ in }) throws(Fault) -> Segmentation {
        let geometry = PictureGeometry(picture: size, inner: preprocessor.resizedSize, padded: preprocessor.paddedSize)
        try engine.prepare(geometry, task: task)
        return try preprocessor.withResized { (pixels) throws(Fault) in
            try engine.segment(pixels, geometry: geometry, task: task, clock: clock, inspect: inspect)
        }
    }

    /// From `begin` to the end of the last stage.
    var totalMilliseconds: Double { last - start }

    /// The JSON line of the picture whose clock runs.
    func line(_ segmentation: Segmentation, picture: String, frame: SegmentsRecord.Frame? = nil) -> [UInt8] {
        let record = SegmentsRecord(
            picture: picture, frame: frame, stages: stages, totalMilliseconds: totalMilliseconds, model: model, vocabulary: vocabulary)
        record.write(segmentation, legend: legend, withMasks: withMasks, into: &writer)
        return writer.line
    }
}
