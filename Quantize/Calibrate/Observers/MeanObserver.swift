import Kernels

/// Mean of each channel over all values observed.
public final class MeanObserver {
    private var sums: [Double]
    private var count = 0

    public init(channels: Int) {
        sums = [Double](repeating: 0, count: channels)
    }

    /// Nil before the first value.
    public var means: [Float]? {
        count == 0 ? nil : sums.map { Float($0 / Double(count)) }
    }

    /// Adds `values` (rows x channels).
    public func observe(_ values: Matrix) {
        count += values.rows
        sums.withUnsafeMutableBufferPointer { sums in
            for row in 0..<values.rows {
                let x = values.row(row)
                for channel in 0..<sums.count { sums[channel] += Double(x[channel]) }
            }
        }
    }
}
