import Board
import Camera
import Kernels
import Network

/// Networks over a data set, picture by picture: every one gets the same pixels and is held to the same truth.
public final class Evaluation {
    /// A network under its name in the report.
    public struct Contender {
        public let name: String
        /// The segmentations for `measures` of RGB8 pixels of `geometry.inner`, at the size of the picture.
        public let answer: (_ pixels: UnsafePointer<UInt8>, _ geometry: PictureGeometry, _ measures: Set<Measure>) -> Answer

        public init(name: String, answer: @escaping (UnsafePointer<UInt8>, PictureGeometry, Set<Measure>) -> Answer) {
            self.name = name
            self.answer = answer
        }
    }

    /// A picture that went badly.
    public struct Failure {
        public let path: String
        /// Of every contender, as `Measurement.add` returns it.
        public let qualities: [Double]
        let truth: GroundTruth
        let answers: [Answer]
    }

    public let dataset: any Dataset
    public let matching: ClassMatching
    public let contenders: [Contender]
    /// One for each contender.
    public private(set) var measurements: [Measurement]
    /// Worst first, by the last contender.
    public private(set) var failures: [Failure] = []
    public private(set) var pictures = 0
    private let preprocessor: Preprocessor
    private let kept: Int

    /// - Parameter failures: how many of the worst pictures are kept.
    public init(_ dataset: any Dataset, matching: ClassMatching, preprocessing: Preprocessing, contenders: [Contender], failures: Int) {
        self.dataset = dataset
        self.matching = matching
        self.contenders = contenders
        measurements = contenders.map { _ in Measurement(classes: matching.classes.count) }
        preprocessor = Preprocessor(preprocessing)
        kept = failures
    }

    /// Measures picture `index` of the data set. - Throws: when the picture or its annotations cannot be read.
    public func add(_ index: Int) throws(Fault) {
        let path = dataset.pictures[index]
        let picture = try Picture.read(path: path)
        let truth = try dataset.truth(index, size: picture.size, matching: matching)
        preprocessor.resize(picture)
        let geometry = PictureGeometry(picture: picture.size, inner: preprocessor.resizedSize, padded: preprocessor.paddedSize)
        let answers = preprocessor.withResized { pixels in contenders.map { $0.answer(pixels, geometry, dataset.measures) } }
        var qualities: [Double] = []
        for index in answers.indices {
            if let quality = measurements[index].add(answers[index], truth: truth, classes: matching.ofVocabulary) { qualities.append(quality) }
        }
        pictures += 1
        guard kept > 0, qualities.count == contenders.count, let quality = qualities.last else { return }
        let place = failures.firstIndex { $0.qualities.last! > quality } ?? failures.count
        guard place < kept else { return }
        failures.insert(Failure(path: path, qualities: qualities, truth: truth, answers: answers), at: place)
        if failures.count > kept { failures.removeLast() }
    }
}
