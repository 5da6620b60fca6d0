import Checkpoint
import Network
import System

/// The fp32 network compared with tensors that a reference recorded for the same picture.
public struct ReferenceComparison {
    public let deviations: [ReferenceDump.Deviation]
    /// Largest fraction, over the layers, of queries that `Deviation` does not count as stable.
    public let unstableFraction: Double
    /// Records without a counterpart.
    public let missing: [String]
    /// Fraction of pixels whose label differs; nil where the record has no such map.
    public let semanticMismatch: Double?
    public let panopticMismatch: Double?
    public let segmentsEqual: Bool?
    /// Largest difference of instance scores, both sorted; infinite when their classes, sorted, differ.
    public let instanceDeviation: Double?

    /// Runs `checkpoint` in fp32 on the dump's picture.
    public init(_ checkpoint: Checkpoint, dump: ReferenceDump, threads: Int) throws(Fault) {
        let architecture = try checkpoint.architecture()
        let arithmetic = FloatArithmetic(FoldedCheckpoint(checkpoint, architecture), threads: threads)
        let network = try SegmentationNetwork(arithmetic, architecture)
        guard dump.classifier.embeddings.columns == architecture.embedding else {
            throw Fault("the dump's embeddings have \(dump.classifier.embeddings.columns) values, the checkpoint's \(architecture.embedding)")
        }
        var segmenter = Segmenter(arithmetic)
        segmenter.semanticOrder = dump.hasPanoptic ? .masksFirst : .scoresFirst
        var panoptic: Segmentation?
        var semantic: Segmentation?
        var instances: Segmentation?
        arithmetic.trace = { dump.compare($0, $1) }
        let geometry = dump.geometry
        dump.pixels.withUnsafeBufferPointer { pixels in
            network.run(pixels.baseAddress!, size: geometry.inner, padded: geometry.padded, classifier: dump.classifier) { prediction in
                semantic = segmenter.segment(prediction, classifier: dump.classifier, geometry: geometry, task: .semantic)
                panoptic = segmenter.segment(prediction, classifier: dump.classifier, geometry: geometry, task: .panoptic)
                instances = segmenter.segment(prediction, classifier: dump.classifier, geometry: geometry, task: .instance)
            }
        }
        deviations = dump.deviations
        unstableFraction = dump.unstableFraction
        missing = dump.missing
        semanticMismatch =
            dump.semantic.isEmpty
            ? nil
            : semantic.map { result in
                Self.mismatch(result.labels.map { $0 == 0 ? UInt16.max : UInt16(result.segments[Int($0) - 1].category) }, dump.semantic)
            }
        panopticMismatch = dump.hasPanoptic ? panoptic.map { Self.mismatch($0.labels, dump.panoptic) } : nil
        segmentsEqual =
            dump.hasPanoptic
            ? panoptic.map { result in
                result.segments.map { [$0.id, $0.isThing ? 1 : 0, $0.category] } == dump.panopticSegments
            } : nil
        instanceDeviation = dump.instances.isEmpty ? nil : instances.map { Self.deviation($0, dump.instances) }
    }

    private static func mismatch(_ labels: [UInt16], _ expected: [UInt16]) -> Double {
        guard labels.count == expected.count else { return 1 }
        return Double(zip(labels, expected).reduce(0) { $0 + ($1.0 != $1.1 ? 1 : 0) }) / Double(max(labels.count, 1))
    }

    /// Ignores empty masks, which the original keeps with score 0.
    private static func deviation(_ found: Segmentation, _ expected: [(score: Float, category: Int)]) -> Double {
        let ours = found.segments.map { (score: $0.score, category: $0.category) }.sorted(by: order)
        let theirs = expected.filter { $0.score > 0 }.sorted(by: order)
        guard ours.map(\.category) == theirs.map(\.category) else { return .infinity }
        return zip(ours, theirs).reduce(0) { max($0, Double(abs($1.0.score - $1.1.score))) }
    }

    private static func order(_ a: (score: Float, category: Int), _ b: (score: Float, category: Int)) -> Bool {
        a.category != b.category ? a.category < b.category : a.score > b.score
    }
}
