import Checkpoint
import Kernels
import ModelFormat
import Network
import System

/// The fp32 network compared with tensors that a reference recorded for the same picture.
///
/// A bit of an attention mask whose logit is nearly zero is decided by rounding, and all tensors behind it depend on it. Such bits are
/// taken over from the record, so that every layer is compared on equal masks.
public struct ReferenceComparison {
    public let deviations: [ReferenceDump.Deviation]
    /// The attention masks before each layer of the mask decoder, as far as they were recorded.
    public let attentionMasks: [ReferenceDump.AttentionMask]
    /// Largest fraction, over the layers, of queries that `Deviation` does not count as stable.
    public let unstableFraction: Double
    /// Records without a counterpart.
    public let missing: [String]
    /// Fraction of pixels whose label differs; nil where the record has no such map.
    public let semanticMismatch: Double?
    public let panopticMismatch: Double?
    public let segmentsEqual: Bool?
    /// Largest difference between the score of a recorded instance and the nearest one of its class, each used once; infinite when
    /// a class has more instances, or fewer, than rounding explains.
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
            network.withActivations(pixels.baseAddress!, size: geometry.inner, padded: geometry.padded, classifier: dump.classifier) { activations in
                for stage in Stage.order(architecture) {
                    network.perform(stage, &activations)
                    if case .attentionMask(let index) = stage { Self.replaceAttentionMask(index, activations, dump) }
                }
                let prediction = activations.prediction!
                semantic = segmenter.segment(prediction, classifier: dump.classifier, geometry: geometry, task: .semantic)
                panoptic = segmenter.segment(prediction, classifier: dump.classifier, geometry: geometry, task: .panoptic)
                instances = segmenter.segment(prediction, classifier: dump.classifier, geometry: geometry, task: .instance)
            }
        }
        deviations = dump.deviations
        attentionMasks = dump.attentionMasks
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

    /// Takes over what rounding decided. A traced network has written the mask logits before the attention mask.
    private static func replaceAttentionMask(_ index: Int, _ activations: Activations<FloatArithmetic>, _ dump: ReferenceDump) {
        let padded = dump.geometry.padded
        let stride = 32 >> (index % Architecture.levels)
        let size = Size(height: padded.height / stride, width: padded.width / stride)
        guard let masks = activations.result(of: .maskLogits), let blocked = activations.blocked else { return }
        var logits = [Float](repeating: 0, count: masks.rows * size.area)
        logits.withUnsafeMutableBufferPointer { buffer in
            let resized = Matrix(buffer.baseAddress!, rows: masks.rows, columns: size.area)
            for query in 0..<masks.rows {
                resizeBilinearPlane(
                    masks.row(query), from: Size(height: padded.height / 4, width: padded.width / 4), to: size, into: resized.row(query))
            }
            dump.replaceAttentionMask(index, blocked, logits: resized)
        }
    }

    private static func mismatch(_ labels: [UInt16], _ expected: [UInt16]) -> Double {
        guard labels.count == expected.count else { return 1 }
        return Double(zip(labels, expected).reduce(0) { $0 + ($1.0 != $1.1 ? 1 : 0) }) / Double(max(labels.count, 1))
    }

    /// Ignores empty masks, which the original keeps with score 0.
    private static func deviation(_ found: Segmentation, _ expected: [ReferenceDump.Instance]) -> Double {
        var scores: [Int: [Float]] = [:]
        for segment in found.segments { scores[segment.category, default: []].append(segment.score) }
        var spare: [Int: Int] = [:]
        var largest = 0.0
        for instance in expected where instance.score > 0 || !instance.isDecided {
            guard instance.isDecided else {
                spare[instance.category, default: 0] += 1
                continue
            }
            guard let rest = scores[instance.category], let nearest = rest.indices.min(by: { abs(rest[$0] - instance.score) < abs(rest[$1] - instance.score) })
            else { return .infinity }
            largest = max(largest, Double(abs(rest[nearest] - instance.score)))
            scores[instance.category]!.remove(at: nearest)
        }
        return scores.contains { $0.value.count > spare[$0.key, default: 0] } ? .infinity : largest
    }
}
