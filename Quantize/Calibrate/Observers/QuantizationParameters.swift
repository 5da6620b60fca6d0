import Kernels
import Runtime

/// Scale and zero point of the values at one quantization point.
///
/// real value of channel c = scale x factors[c] x (int8 - zeroPoint).
public struct QuantizationParameters: Sendable {
    public let scale: Float
    public let zeroPoint: Int
    /// Per-channel factors, folded into the weights that read the point; empty where all are 1.
    public let factors: [Float]

    public func factor(_ channel: Int) -> Float {
        factors.isEmpty ? 1 : factors[channel]
    }

    /// Scale of channel `channel`.
    public func scale(_ channel: Int) -> Float {
        scale * factor(channel)
    }

    /// Of the picture's bytes minus 128, which are int8 values already.
    public static let pixels = QuantizationParameters(scale: 1, zeroPoint: 0, factors: [])

    /// Zero points that are tried before the neighbours of the best: all values positive, a few negative ones, balanced, and the reverse.
    private static let zeroPoints = [-128, -126, -124, -120, -112, -96, -64, -32, 0, 32, 64, 96, 112, 120, 124, 127]
    /// Where a point has no value but zero.
    private static let leastStep: Float = 1e-8

    /// One scale for all channels.
    public static func common(_ channels: [Distribution], _ method: RangeMethod, symmetric: Bool) -> QuantizationParameters {
        let zeroPoint = symmetric ? 0 : bestZeroPoint { channels.fittedTogether(method, zeroPoint: $0).error }
        return QuantizationParameters(scale: max(channels.fittedTogether(method, zeroPoint: zeroPoint).step, leastStep), zeroPoint: zeroPoint, factors: [])
    }

    /// A scale for each channel, zero point 0: for depthwise convolutions, which never mix channels.
    public static func separate(_ channels: [Distribution], _ method: RangeMethod) -> QuantizationParameters {
        QuantizationParameters(scale: 1, zeroPoint: 0, factors: channels.map { max($0.fitted(method, zeroPoint: 0).step, leastStep) })
    }

    /// The zero point, and the step of each channel before they are balanced.
    public typealias Fitted = (zeroPoint: Int, steps: [Float])

    /// Steps for the channels of a point that linear layers read. The zero point is that of the least error, each channel's weighted with the
    /// sum of squares of the weights that read it, `gains`.
    public static func steps(_ channels: [Distribution], _ method: RangeMethod, gains: [Double], pool: ThreadPool) -> Fitted {
        // A few hundred channels tell the zero point.
        let some = stride(from: 0, to: channels.count, by: max(channels.count / 256, 1)).map { $0 }
        let zeroPoint = bestZeroPoint { zeroPoint in
            some.reduce(0) { $0 + channels[$1].fitted(method, zeroPoint: zeroPoint).error * gains[$1] }
        }
        var steps = [Float](repeating: 0, count: channels.count)
        steps.withUnsafeMutableBufferPointer { steps in
            pool.ranges(channels.count) { range in
                for channel in range { steps[channel] = channels[channel].fitted(method, zeroPoint: zeroPoint).step }
            }
        }
        return (zeroPoint, steps)
    }

    /// A scale for each channel, balanced against the weights that read it: factor = step^m / weight^(1 - m) (SmoothQuant, arXiv
    /// 2211.10438, equation 4).
    ///
    /// - Parameters:
    ///   - fitted: `steps`.
    ///   - migration: m, the fraction of the spread between channels that moves into the weights.
    ///   - weights: the largest weight that reads each channel.
    public static func balanced(_ fitted: Fitted, migration: Float, weights: [Float]) -> QuantizationParameters {
        // Channels without values must not have scales that differ by more than floats can bear.
        let floor = max((fitted.steps.max() ?? 0) * 1e-5, leastStep)
        let steps = fitted.steps.map { max($0, floor) }
        let factors = steps.indices.map { power(steps[$0], migration) / power(max(weights[$0], 1e-5), 1 - migration) }
        let scale = steps.indices.reduce(Float(0)) { max($0, steps[$1] / factors[$1]) }
        return QuantizationParameters(scale: scale, zeroPoint: fitted.zeroPoint, factors: factors)
    }

    /// The zero point of the least `error`, to within one.
    private static func bestZeroPoint(_ error: (Int) -> Double) -> Int {
        var best = (zeroPoint: 0, error: Double.infinity)
        func attempt(_ zeroPoint: Int) {
            let error = error(zeroPoint)
            if error < best.error { best = (zeroPoint, error) }
        }
        for zeroPoint in zeroPoints { attempt(zeroPoint) }
        for distance in [16, 8, 4, 2, 1] {
            let center = best.zeroPoint
            // Near either end the list above is as dense.
            guard min(center + 128, 127 - center) > distance else { continue }
            attempt(center - distance)
            attempt(center + distance)
        }
        return best.zeroPoint
    }

    private static func power(_ base: Float, _ exponent: Float) -> Float {
        exponential(logarithm(base) * exponent)
    }
}
