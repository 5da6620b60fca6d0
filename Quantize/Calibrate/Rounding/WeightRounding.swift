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

extension QuantizedLayer {
    /// The same with a bias that takes up what rounding the weights does to the mean of the results (arXiv 1906.04721, section 4.2).
    ///
    /// - Parameter means: of each channel of the layer's input.
    func correctingBias(of layer: FloatArithmetic.Layer, input: QuantizationParameters, means: [Float]) -> QuantizedLayer {
        let parameters = layer.parameters
        let bias = (0..<parameters.columns).map { column in
            var error = 0.0
            for position in 0..<parameters.depth {
                let isDepthwise = layer.role == .depthwise
                let index = isDepthwise ? position * parameters.columns + column : column * parameters.depth + position
                let channel = isDepthwise ? column : position % means.count
                let rounded = Float(weights[index]) * scales[column] / input.scale(channel)
                error += Double(parameters.weights[index] - rounded) * Double(means[channel])
            }
            return Float(Double(self.bias[column]) + error)
        }
        return QuantizedLayer(weights: weights, scales: scales, bias: bias)
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
