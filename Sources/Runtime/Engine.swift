import Board
import Kernels
import Network

/// The engine of the board: in int8.
public typealias Engine = SegmentationEngine<IntegerArithmetic>

/// A model and a vocabulary, ready to segment pictures.
public final class SegmentationEngine<A: Arithmetic> {
    public let model: ModelFile
    public private(set) var vocabulary: Vocabulary
    public let arithmetic: A
    private let network: SegmentationNetwork<A>
    private let segmenter: Segmenter<A>
    private var classifier: Classifier

    /// Checks that model and vocabulary belong together and packs the weights.
    ///
    /// - Throws: when a file is damaged, or when the vocabulary was made with another CLIP than the model's.
    public init(model: ModelFile, vocabulary: Vocabulary, arithmetic: A) throws(Fault) {
        try Self.check(vocabulary, fits: model)
        self.model = model
        self.vocabulary = vocabulary
        self.arithmetic = arithmetic
        network = try SegmentationNetwork(arithmetic, model.architecture)
        segmenter = Segmenter(arithmetic)
        classifier = Self.classifier(vocabulary)
    }

    /// Looks for the classes of another vocabulary from now on. - Throws: when it was made with another CLIP than the model's; then nothing changes.
    public func adopt(_ vocabulary: Vocabulary) throws(Fault) {
        try Self.check(vocabulary, fits: model)
        self.vocabulary = vocabulary
        classifier = Self.classifier(vocabulary)
    }

    private static func check(_ vocabulary: Vocabulary, fits model: ModelFile) throws(Fault) {
        let path = model.file.path, width = model.architecture.embedding
        guard vocabulary.embeddingWidth == width else {
            throw Fault("\(vocabulary.path): embeddings are \(vocabulary.embeddingWidth) wide, those of \(path) \(width); make it with the model's checkpoint")
        }
        guard vocabulary.clipFingerprint == model.clipFingerprint else {
            throw Fault("\(vocabulary.path): made with another CLIP than \(path); make it with the model's checkpoint")
        }
    }

    private static func classifier(_ vocabulary: Vocabulary) -> Classifier {
        let categories = vocabulary.categories
        return Classifier(
            embeddings: vocabulary.embeddings, names: categories.map { $0.firstName..<$0.firstName + $0.nameCount },
            isSeen: categories.map { $0.isSeen }, isThing: categories.map { $0.isThing })
    }

    /// Segments RGB8 `pixels` of `geometry.inner` (the resized picture) at the picture's own size.
    ///
    /// - Parameter clock: told the name of each stage as it ends.
    public func segment(_ pixels: UnsafePointer<UInt8>, geometry: PictureGeometry, task: Task, clock: (StaticString) -> Void) -> Segmentation {
        let result = network.run(pixels, size: geometry.inner, padded: geometry.padded, classifier: classifier, clock: clock) { prediction in
            segmenter.segment(prediction, classifier: classifier, geometry: geometry, task: task)
        }
        clock("post-processing")
        return result
    }
}

extension SegmentationEngine where A == IntegerArithmetic {
    /// Opens both files and packs the weights for `kernels`. - Throws: as above.
    public convenience init(model: String, vocabulary: String, kernels: KernelTable, threads: Int) throws(Fault) {
        let file = try ModelFile(path: model), names = try Vocabulary(path: vocabulary)
        try self.init(model: file, vocabulary: names, arithmetic: IntegerArithmetic(file, kernels: kernels, threads: threads))
    }
}
