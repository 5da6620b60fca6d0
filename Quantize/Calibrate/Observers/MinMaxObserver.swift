import Kernels

/// Least and largest value of each channel.
public final class MinMaxObserver: RangeObserver {
    private let channels: Int
    private var least: [Float]
    private var largest: [Float]
    public private(set) var isFinite = true

    public init(channels: Int) {
        self.channels = channels
        least = [Float](repeating: .infinity, count: channels)
        largest = [Float](repeating: -.infinity, count: channels)
    }

    public var ranges: ChannelRanges? {
        channels == 0 || least[0] > largest[0] ? nil : ChannelRanges(least: least, largest: largest)
    }

    public func observe(_ values: Matrix) {
        least.withUnsafeMutableBufferPointer { least in
            largest.withUnsafeMutableBufferPointer { largest in
                for row in 0..<values.rows {
                    let x = values.row(row)
                    for channel in 0..<channels {
                        // Comparisons that NaN fails; it is caught by the sum below.
                        least[channel] = x[channel] < least[channel] ? x[channel] : least[channel]
                        largest[channel] = x[channel] > largest[channel] ? x[channel] : largest[channel]
                    }
                }
            }
        }
        for row in 0..<values.rows where !dotProduct(values.row(row), values.row(row), count: channels).isFinite { isFinite = false }
    }
}
