import Imaging
import Kernels
import Network

/// What int8 makes of a layer, in float32.
struct SimulatedLayer {
    /// Ordered as the layer's own.
    let parameters: FloatWeights
    /// Nil where the input is exact: the picture's bytes.
    let input: QuantizationParameters?

    init(_ quantized: QuantizedLayer, of layer: FloatArithmetic.Layer, input: QuantizationParameters) {
        var parameters = layer.parameters
        parameters.bias = quantized.bias
        for column in 0..<parameters.columns {
            for position in 0..<parameters.depth {
                let isDepthwise = layer.role == .depthwise
                let index = isDepthwise ? position * parameters.columns + column : column * parameters.depth + position
                let channel = isDepthwise ? column : position % layer.input.channels
                parameters.weights[index] = Float(quantized.weights[index]) * quantized.scales[column] / input.scale(channel)
            }
        }
        self.parameters = layer.role == .stem ? parameters.readingColours() : parameters
        self.input = layer.role == .stem ? nil : input
    }
}

extension FloatArithmetic {
    /// What takes the place of layers and of points that no layer reads, by name, so that the network computes as if only they were int8.
    struct Simulation {
        var layers: [String: SimulatedLayer] = [:]
        var points: [String: QuantizationParameters] = [:]

        /// Adds what `other` simulates.
        mutating func add(_ other: Simulation) {
            layers.merge(other.layers) { $1 }
            points.merge(other.points) { $1 }
        }
    }

    /// `values` as int8 with `parameters` represents them, in scratch memory; the channels repeat along each row.
    func simulated(_ values: Matrix, _ parameters: QuantizationParameters, channels: Int) -> Matrix {
        let result = matrix(rows: values.rows, columns: values.columns)
        let scales = (0..<channels).map { parameters.scale($0) }
        let multipliers = scales.map { 1 / $0 }
        let zeroPoint = Float(parameters.zeroPoint)
        parallel(values.rows) { range in
            for row in range {
                let x = values.row(row)
                let y = result.row(row)
                var channel = 0
                for column in 0..<values.columns {
                    let level = min(max((x[column] * multipliers[channel] + zeroPoint).rounded(.toNearestOrEven), -128), 127)
                    y[column] = (level - zeroPoint) * scales[channel]
                    channel = channel + 1 == channels ? 0 : channel + 1
                }
            }
        }
        return result
    }

    /// The weights that `layer` has now, and its input `x` as they read it.
    func operands(_ x: Matrix, _ layer: Layer) -> (x: Matrix, parameters: FloatWeights) {
        guard let simulated = simulation.layers[layer.name] else { return (x, layer.parameters) }
        guard let input = simulated.input else { return (x, simulated.parameters) }
        return (self.simulated(x, input, channels: layer.input.channels), simulated.parameters)
    }
}
