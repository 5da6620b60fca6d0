import Kernels
import ModelFormat

/// Changes of the weights that leave the network's results as they are and make its activations easier to represent in int8.
public struct Rewrites: Equatable, Sendable {
    /// By the layer's name: factors of its results.
    var results: [String: [Float]] = [:]
    /// By the layer's name: factors of its inputs, by which its weights are divided.
    var inputs: [String: [Float]] = [:]
    /// Whether mask features and mask embeddings are rotated (`MaskRotation`).
    public var rotatesMasks = false

    public init() {}

    /// Present in model files whose masks are rotated.
    static let rotationKey = "fcclip.calibration.rotated_masks"

    /// Those of `model` that show in the results of its stages.
    public init(visibleIn model: ModelFile) {
        rotatesMasks = model.file.has(Self.rotationKey)
    }

    /// Multiplies the results of `layer`, which only `reader` reads, and which its `reader` divides again.
    mutating func equalize(_ layer: String, _ factors: [Float], dividedBy reader: String) {
        results[layer] = factors
        inputs[reader] = factors
    }

    /// Multiplies the results of `layer` and divides those of `other`, with which they are multiplied channel by channel.
    mutating func equalize(_ layer: String, _ factors: [Float], against other: String) {
        results[layer] = factors
        results[other] = factors.map { 1 / $0 }
    }

    /// `weights` of the layer `name` as they are to be.
    func apply(to weights: inout FloatWeights, of name: String) {
        if let factors = results[name] { weights.scale(by: factors) }
        if let factors = inputs[name] { weights.divideInputs(by: factors) }
        guard rotatesMasks else { return }
        switch name {
        case "pixel_decoder.features", "mask_decoder.mask_embedding2": MaskRotation.rotateResults(of: &weights)
        case "mask_decoder.pool": MaskRotation.rotateInputs(of: &weights)
        default: break
        }
    }
}

extension FloatWeights {
    /// Divides the weights that read each channel.
    fileprivate mutating func divideInputs(by factors: [Float]) {
        for column in 0..<columns {
            for position in 0..<depth { weights[column * depth + position] /= factors[position % factors.count] }
        }
    }
}
