import Board
import Kernels
import Network

/// A model and a vocabulary, ready to segment pictures.
public final class Engine {
    public let model: ModelFile
    public let vocabulary: Vocabulary
    public let arithmetic: IntegerArithmetic
    private let network: SegmentationNetwork<IntegerArithmetic>
    private let segmenter: Segmenter<IntegerArithmetic>
    private let classifier: Classifier

    /// Opens both files, checks that they belong together and packs the weights for `kernels`.
    ///
    /// - Throws: when a file is damaged, or when the vocabulary was made with another CLIP than the model's.
    public init(model: String, vocabulary: String, kernels: KernelTable, threads: Int) throws(Fault) {
        self.model = try ModelFile(path: model)
        self.vocabulary = try Vocabulary(path: vocabulary)
        let width = self.model.architecture.embedding
        guard self.vocabulary.embeddingWidth == width else {
            throw Fault("\(vocabulary): embeddings are \(self.vocabulary.embeddingWidth) wide, those of \(model) \(width); make it with the model's checkpoint")
        }
        guard self.vocabulary.clipFingerprint == self.model.clipFingerprint else {
            throw Fault("\(vocabulary): made with another CLIP than \(model); make it with the model's checkpoint")
        }
        arithmetic = IntegerArithmetic(self.model, kernels: kernels, threads: threads)
        network = try SegmentationNetwork(arithmetic, self.model.architecture)
        segmenter = Segmenter(arithmetic)
        let categories = self.vocabulary.categories
        classifier = Classifier(
            embeddings: self.vocabulary.embeddings, names: categories.map { $0.firstName..<$0.firstName + $0.nameCount },
            isSeen: categories.map { $0.isSeen }, isThing: categories.map { $0.isThing })
    }

    /// Segments RGB8 `pixels` of `geometry.inner` (the resized picture) at the picture's own size.
    ///
    /// - Parameter clock: told the name of each stage as it ends.
    public func segment(_ pixels: UnsafePointer<UInt8>, geometry: PictureGeometry, task: Task, clock: (StaticString) -> Void) -> Segmentation {
        let result = network.run(pixels, size: geometry.inner, padded: geometry.padded, classifier: classifier, clock: clock) { prediction in
            segmenter.segment(prediction, classifier: classifier, geometry: geometry, task: task)
        }
        clock("segments")
        return result
    }
}
