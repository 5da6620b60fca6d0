import Kernels
import ModelFormat
import Network
import Runtime
import System

/// Int8 against fp32 stage by stage: every stage of the int8 network reads what the fp32 network's stages before it
/// have written, so that its error is its own.
public final class StageComparison {
    private let float: SegmentationNetwork<FloatArithmetic>
    private let integer: SegmentationNetwork<IntegerArithmetic>
    /// One name: no stage with a result depends on the vocabulary.
    private let classifier: Classifier
    private var names: [String] = []
    private var ratios: [String: SignalToNoise] = [:]

    /// - Throws: when the two networks have different architectures.
    public init(_ float: SegmentationNetwork<FloatArithmetic>, _ integer: SegmentationNetwork<IntegerArithmetic>) throws(Fault) {
        guard float.architecture == integer.architecture else { throw Fault("the model file was not made from this checkpoint: their architectures differ") }
        self.float = float
        self.integer = integer
        let embeddings = NameEmbeddings(rows: 1, columns: float.architecture.embedding)
        classifier = Classifier(embeddings: embeddings, names: [0..<1], isSeen: [false], isThing: [false])
    }

    /// The stages that have a result, in network order, over all pictures added.
    public var fidelities: [Fidelity] {
        names.map { Fidelity(name: $0, decibels: ratios[$0]?.decibels ?? .infinity) }
    }

    /// Compares one picture, RGB8 `pixels` of `size` padded to `padded`.
    public func add(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size) {
        float.withActivations(pixels, size: size, padded: padded, classifier: classifier) { expected in
            integer.withActivations(pixels, size: size, padded: padded, classifier: classifier) { found in
                for stage in Stage.order(float.architecture) {
                    float.perform(stage, &expected)
                    integer.perform(stage, &found)
                    if let reference = expected.result(of: stage), let other = found.result(of: stage) { note(stage.name, reference, other) }
                    found.copyResult(of: stage, from: expected)
                }
            }
        }
    }

    private func note(_ name: String, _ reference: Matrix, _ other: Matrix) {
        if ratios[name] == nil { names.append(name) }
        ratios[name, default: SignalToNoise()].add(reference, other)
    }
}
