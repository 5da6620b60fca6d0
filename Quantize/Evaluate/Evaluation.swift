import Imaging
import Network
import System

/// Runs networks over a data set, picture by picture; all get the same pixels and the same truth.
public final class Evaluation {
    /// A network and its name in the report.
    public struct Candidate {
        public let name: String
        /// The segmentations for `measures` of RGB8 pixels of `geometry.inner`, at the size of the picture.
        public let predict: (_ pixels: UnsafePointer<UInt8>, _ geometry: PictureGeometry, _ measures: Set<Measure>) -> TaskPredictions

        public init(name: String, predict: @escaping (UnsafePointer<UInt8>, PictureGeometry, Set<Measure>) -> TaskPredictions) {
            self.name = name
            self.predict = predict
        }
    }

    /// One of the worst pictures.
    public struct Failure {
        public let path: String
        /// Of every candidate, as `Measurement.add` returns it.
        public let qualities: [Double]
        let truth: GroundTruth
        let predictions: [TaskPredictions]
    }

    public let dataset: any Dataset
    public let matching: ClassMatching
    public let candidates: [Candidate]
    /// One for each candidate.
    public private(set) var measurements: [Measurement]
    /// Worst first, by the last candidate.
    public private(set) var failures: [Failure] = []
    public private(set) var pictures = 0
    private let preprocessor: Preprocessor
    private let kept: Int

    /// - Parameter failures: how many of the worst pictures are kept.
    public init(_ dataset: any Dataset, matching: ClassMatching, preprocessing: Preprocessing, candidates: [Candidate], failures: Int) {
        self.dataset = dataset
        self.matching = matching
        self.candidates = candidates
        measurements = candidates.map { _ in Measurement(classes: matching.classes.count) }
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
        let predictions = preprocessor.withResized { pixels in candidates.map { $0.predict(pixels, geometry, dataset.measures) } }
        var qualities: [Double] = []
        for index in predictions.indices {
            if let quality = measurements[index].add(predictions[index], truth: truth, classes: matching.ofVocabulary) { qualities.append(quality) }
        }
        pictures += 1
        guard kept > 0, qualities.count == candidates.count, let quality = qualities.last else { return }
        let place = failures.firstIndex { $0.qualities.last! > quality } ?? failures.count
        guard place < kept else { return }
        failures.insert(Failure(path: path, qualities: qualities, truth: truth, predictions: predictions), at: place)
        if failures.count > kept { failures.removeLast() }
    }
}
