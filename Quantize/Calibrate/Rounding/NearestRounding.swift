/// Every weight to the nearest multiple of its column's scale, which the column's largest weight decides.
public struct NearestRounding: WeightRounding {
    public init() {}

    public func linear(_ layer: FloatWeights, input: QuantizationParameters, channels: Int) -> QuantizedLayer {
        var weights = [Int8](repeating: 0, count: layer.weights.count)
        var scales = [Float](repeating: 0, count: layer.columns)
        var column = [Float](repeating: 0, count: layer.depth)
        for index in 0..<layer.columns {
            var largest: Float = 0
            for position in 0..<layer.depth {
                column[position] = layer.weights[index * layer.depth + position] * input.factor(position % channels)
                largest = max(largest, abs(column[position]))
            }
            let scale = Self.scale(largest)
            for position in 0..<layer.depth { weights[index * layer.depth + position] = Self.round(column[position] / scale) }
            scales[index] = scale * input.scale
        }
        return QuantizedLayer(weights: weights, scales: scales, bias: layer.bias)
    }

    public func depthwise(_ layer: FloatWeights, input: QuantizationParameters) -> QuantizedLayer {
        let channels = layer.columns
        var weights = [Int8](repeating: 0, count: layer.weights.count)
        var scales = [Float](repeating: 0, count: channels)
        for channel in 0..<channels {
            var largest: Float = 0
            for tap in 0..<layer.depth { largest = max(largest, abs(layer.weights[tap * channels + channel])) }
            let scale = Self.scale(largest)
            for tap in 0..<layer.depth { weights[tap * channels + channel] = Self.round(layer.weights[tap * channels + channel] / scale) }
            scales[channel] = scale * input.scale(channel)
        }
        return QuantizedLayer(weights: weights, scales: scales, bias: layer.bias)
    }

    private static func scale(_ largest: Float) -> Float {
        largest > 0 ? largest / 127 : 1
    }

    private static func round(_ value: Float) -> Int8 {
        Int8(min(max(value.rounded(.toNearestOrEven), -127), 127))
    }
}
