import Kernels

/// The range of each channel that int8 has to represent at one quantization point.
public struct ChannelRanges {
    public let least: [Float]
    public let largest: [Float]

    public init(least: [Float], largest: [Float]) {
        self.least = least
        self.largest = largest
    }

    public var channels: Int { least.count }

    /// Largest magnitude of channel `channel`.
    public func magnitude(_ channel: Int) -> Float {
        max(abs(least[channel]), abs(largest[channel]))
    }
}

/// Accumulates the values at one quantization point over all calibration pictures and derives ranges from them.
public protocol RangeObserver: AnyObject {
    /// Whether all values were finite numbers.
    var isFinite: Bool { get }
    /// Nil before the first value.
    var ranges: ChannelRanges? { get }
    /// Adds `values` (rows x channels).
    func observe(_ values: Matrix)
}

/// How ranges are derived from observed values; the raw value is the name that model files record.
public enum RangeMethod: String, Sendable {
    case minMax = "min-max"

    func observer(channels: Int) -> any RangeObserver {
        switch self {
        case .minMax: MinMaxObserver(channels: channels)
        }
    }
}
