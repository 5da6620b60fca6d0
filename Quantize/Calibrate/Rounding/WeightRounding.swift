/// A layer in int8: what the model file stores.
public struct QuantizedLayer {
    public let weights: [Int8]
    /// One for each column: weight scale x input scale.
    public let scales: [Float]
    public let bias: [Float]

    public init(weights: [Int8], scales: [Float], bias: [Float]) {
        self.weights = weights
        self.scales = scales
        self.bias = bias
    }
}

/// Chooses the int8 weights of a layer and their scales.
public protocol WeightRounding {
    /// Linear layers and convolutions flattened to one: a weight scale for each column, over the weights that carry the input's factors.
    /// - Parameter channels: of the input; the depth is a multiple of it, channels fastest.
    func linear(_ layer: FloatWeights, input: QuantizationParameters, channels: Int) -> QuantizedLayer

    /// Depthwise convolutions: a weight scale for each channel; weights stay [tap][channel].
    func depthwise(_ layer: FloatWeights, input: QuantizationParameters) -> QuantizedLayer
}

/// How weights are rounded; the raw value is the name that model files record.
public enum RoundingMethod: String, Sendable {
    case nearest

    var rounding: any WeightRounding {
        switch self {
        case .nearest: NearestRounding()
        }
    }
}
