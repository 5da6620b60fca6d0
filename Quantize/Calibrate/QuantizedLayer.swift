import Kernels
import Runtime

/// A layer in int8: what the model file stores.
public struct QuantizedLayer {
    public let weights: [Int8]
    /// One for each column: weight scale x input scale.
    public let scales: [Float]
    public var bias: [Float]

    /// `layer` with its weights rounded by `rounding`, each column or, in a depthwise convolution, channel with a scale of its own.
    init(
        _ layer: FloatWeights, isDepthwise: Bool, channels: Int, input: QuantizationParameters, _ rounding: any WeightRounding, steps: InputSteps?,
        _ pool: ThreadPool
    ) {
        let (columns, depth) = (layer.columns, layer.depth)
        var weights = layer.weights
        let rounded = weights.withUnsafeMutableBufferPointer { weights in
            let matrix = Matrix(weights.baseAddress!, rows: columns, columns: depth)
            if isDepthwise {
                for channel in 0..<columns {
                    for tap in 0..<depth { matrix[channel, tap] = layer.weights[tap * columns + channel] }
                }
            } else {
                let factors = (0..<depth).map { input.factor($0 % channels) }
                factors.withUnsafeBufferPointer { factors in
                    pool.ranges(columns) { range in
                        for column in range {
                            let own = matrix.row(column)
                            for position in 0..<depth { own[position] *= factors[position] }
                        }
                    }
                }
            }
            return rounding.round(matrix, input: steps, pool: pool)
        }
        bias = layer.bias
        guard isDepthwise else {
            self.weights = rounded.weights
            scales = rounded.scales.map { $0 * input.scale }
            return
        }
        self.weights = (0..<columns * depth).map { rounded.weights[$0 % columns * depth + $0 / columns] }
        scales = rounded.scales.enumerated().map { $0.element * input.scale($0.offset) }
    }

    /// The same with a bias that takes up what rounding weights and inputs does to the mean of the results (arXiv 1906.04721, section 4.2).
    ///
    /// - Parameters:
    ///   - means: of each channel of the layer's input.
    ///   - errors: mean error of each position of the input in int8; empty where it is not known.
    func correctingBias(of layer: FloatArithmetic.Layer, input: QuantizationParameters, means: [Float], errors: [Double]) -> QuantizedLayer {
        let parameters = layer.parameters
        let isDepthwise = layer.role == .depthwise
        let channels = (0..<parameters.depth).map { $0 % means.count }
        let inverses = means.indices.map { 1 / input.scale($0) }
        let seen = errors.isEmpty ? [Double](repeating: 0, count: parameters.depth) : errors
        var result = self
        result.bias.withUnsafeMutableBufferPointer { bias in
            weights.withUnsafeBufferPointer { weights in
                for column in 0..<parameters.columns {
                    var error = 0.0
                    for position in 0..<parameters.depth {
                        let index = isDepthwise ? position * parameters.columns + column : column * parameters.depth + position
                        let channel = isDepthwise ? column : channels[position]
                        let rounded = Double(Float(weights[index]) * scales[column] * inverses[channel])
                        error += (Double(parameters.weights[index]) - rounded) * Double(means[channel]) - rounded * seen[position]
                    }
                    bias[column] = Float(Double(bias[column]) + error)
                }
            }
        }
        return result
    }
}
