import Kernels

/// Scale and zero point of the values at one quantization point.
///
/// real value of channel c = scale x factors[c] x (int8 - zeroPoint).
public struct QuantizationParameters: Sendable {
    public let scale: Float
    public let zeroPoint: Int
    /// Per-channel factors, folded into the weights that read the point; empty where all are 1.
    public let factors: [Float]

    /// Fraction of a point's spread between channels that moves into the weights (SmoothQuant, arXiv 2211.10438, equation 4).
    static let migration: Float = 0.5

    public func factor(_ channel: Int) -> Float {
        factors.isEmpty ? 1 : factors[channel]
    }

    /// Scale of channel `channel`.
    public func scale(_ channel: Int) -> Float {
        scale * factor(channel)
    }

    /// Of the picture's bytes minus 128, which are int8 values already.
    public static let pixels = QuantizationParameters(scale: 1, zeroPoint: 0, factors: [])

    /// One scale for all channels, over their common range.
    public static func common(_ ranges: ChannelRanges, symmetric: Bool) -> QuantizationParameters {
        spread(ranges, factors: [], symmetric: symmetric)
    }

    /// A scale for each channel, zero point 0: for depthwise convolutions, which never mix channels.
    public static func separate(_ ranges: ChannelRanges) -> QuantizationParameters {
        let magnitudes = (0..<ranges.channels).map { max(ranges.magnitude($0), 1e-6) }
        return QuantizationParameters(scale: 1, zeroPoint: 0, factors: magnitudes.map { $0 / 127 })
    }

    /// Channels balanced against the weights that read them: factor = magnitude^m / weight^(1 - m).
    ///
    /// - Parameter weights: largest weight that reads each channel.
    public static func balanced(_ ranges: ChannelRanges, weights: [Float]) -> QuantizationParameters {
        let factors = (0..<ranges.channels).map { channel -> Float in
            let magnitude = max(ranges.magnitude(channel), 1e-5)
            let weight = max(weights[channel], 1e-5)
            return power(magnitude, migration) / power(weight, 1 - migration)
        }
        return spread(ranges, factors: factors, symmetric: false)
    }

    private static func spread(_ ranges: ChannelRanges, factors: [Float], symmetric: Bool) -> QuantizationParameters {
        var low: Float = 0
        var high: Float = 0
        for channel in 0..<ranges.channels {
            let factor = factors.isEmpty ? 1 : factors[channel]
            low = min(low, ranges.least[channel] / factor)
            high = max(high, ranges.largest[channel] / factor)
        }
        if symmetric {
            return QuantizationParameters(scale: max(max(-low, high), 1e-6) / 127, zeroPoint: 0, factors: factors)
        }
        let scale = max(high - low, 1e-6) / 255
        let zeroPoint = (-128 - low / scale).rounded(.toNearestOrEven)
        return QuantizationParameters(scale: scale, zeroPoint: Int(min(max(zeroPoint, -128), 127)), factors: factors)
    }

    private static func power(_ base: Float, _ exponent: Float) -> Float {
        exponential(logarithm(base) * exponent)
    }
}
