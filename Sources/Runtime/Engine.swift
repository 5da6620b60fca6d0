import Kernels
import ModelFormat
import Network
import System

/// The engine in int8, as boards run it.
public typealias Engine = SegmentationEngine<IntegerArithmetic>

/// A model and a vocabulary, ready to segment pictures.
public final class SegmentationEngine<A: CountingArithmetic> {
    public let model: ModelFile
    public private(set) var vocabulary: Vocabulary
    public let arithmetic: A
    let network: SegmentationNetwork<A>
    let segmenter: Segmenter<A>
    private(set) var classifier: Classifier
    private let threads: Int
    private var reserved = MemoryPlan.none
    /// The last request for which memory was reserved.
    private var prepared: (geometry: PictureGeometry, task: Task)?
    /// The last result. Its memory is reused once no caller holds it.
    var segmentation = Segmentation(task: .panoptic, size: Size(height: 0, width: 0))

    /// Checks that model and vocabulary belong together and packs the weights.
    ///
    /// - Parameter threads: the threads of `arithmetic`, for counting memory.
    /// - Throws: when a file is damaged, or when the vocabulary was made with a different CLIP.
    public init(model: ModelFile, vocabulary: Vocabulary, arithmetic: A, threads: Int) throws(Fault) {
        try model.requireFit(vocabulary)
        self.model = model
        self.vocabulary = vocabulary
        self.arithmetic = arithmetic
        self.threads = threads
        network = try SegmentationNetwork(arithmetic, model.architecture)
        network.weights = model.ensemble
        segmenter = Segmenter(arithmetic)
        classifier = Classifier(vocabulary)
    }

    /// Replaces the vocabulary. - Throws: when it was made with a different CLIP; then nothing changes.
    public func adopt(_ vocabulary: Vocabulary) throws(Fault) {
        try model.requireFit(vocabulary)
        self.vocabulary = vocabulary
        classifier = Classifier(vocabulary)
        prepared = nil
    }

    /// Reserves the memory for pictures of `geometry` in one block; does nothing when enough is reserved already.
    ///
    /// - Throws: when the machine has less free memory.
    public func prepare(_ geometry: PictureGeometry, task: Task) throws(Fault) {
        if let prepared, prepared.geometry == geometry, prepared.task == task { return }
        let plan = plan(geometry, task: task)
        if plan.shared > reserved.shared || plan.perThread > reserved.perThread || plan.results > reserved.results {
            let size = geometry.picture
            try requireMemory(
                plan.total(threads: threads), held: reserved.total(threads: threads), for: "a picture of \(size.width)x\(size.height) needs")
            network.reserve(shared: plan.shared, perThread: plan.perThread)
            reserved = plan
        }
        prepared = (geometry, task)
    }

    /// Segments RGB8 `pixels` of `geometry.inner` (the resized picture) at the picture's own size.
    ///
    /// - Parameters:
    ///   - clock: called at the end of each part of the network, and of the post-processing, with its name.
    ///   - inspect: reads the prediction, which is valid only during the call.
    /// - Throws: what `inspect` throws.
    public func segment(
        _ pixels: UnsafePointer<UInt8>, geometry: PictureGeometry, task: Task, clock: (StaticString) -> Void,
        inspect: (Prediction) throws(Fault) -> Void = { _ in }
    ) throws(Fault) -> Segmentation {
        try network.run(pixels, size: geometry.inner, padded: geometry.padded, classifier: classifier, clock: clock) { prediction throws(Fault) in
            segmenter.segment(prediction, classifier: classifier, geometry: geometry, task: task, into: &segmentation)
            clock("post-processing")
            try inspect(prediction)
        }
        return segmentation
    }
}

extension SegmentationEngine where A == IntegerArithmetic {
    /// Opens both files and packs the weights for `kernels`. - Throws: as above.
    public convenience init(model: String, vocabulary: String, kernels: KernelSet, threads: Int) throws(Fault) {
        let file = try ModelFile(path: model)
        let names = try Vocabulary(path: vocabulary)
        try self.init(model: file, vocabulary: names, arithmetic: try IntegerArithmetic(file, kernels: kernels, threads: threads), threads: threads)
    }
}
