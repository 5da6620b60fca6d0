import Kernels

/// Accumulates the values at one quantization point over all calibration pictures, in memory that does not grow with them, and fits int8
/// steps to them.
public protocol RangeObserver: AnyObject {
    var channels: Int { get }
    /// Whether all values were finite numbers.
    var isFinite: Bool { get }
    /// Whether there was a value.
    var isEmpty: Bool { get }
    /// Adds `values` (rows x channels).
    func observe(_ values: Matrix)
    /// The values of each channel.
    func distributions() -> [Distribution]
}

/// The real value of one int8 step, and the mean square of the error that rounding and clipping to int8 then make.
public struct ChannelStep {
    public let step: Float
    public let error: Double
}

/// How steps are derived from observed values; the raw value is the name in tables and model files.
public enum RangeMethod: String, Sendable, CaseIterable {
    /// Every value is represented.
    case minMax = "min-max"
    /// All values but one in ten thousand at either end.
    case percentile
    /// The least mean square of rounding and clipping errors.
    case meanSquare = "mean-square"
}
