// Group normalization (Wu and He 2018): each of `groups` equal runs of channels has one mean and one variance over all rows of a map.
//
// Three steps, so that rows can be distributed among threads and memory is read in order: `ChannelMoments` of blocks of rows,
// `groupFactors` of them all, then `Epilogue` with `normalized` values.

/// Mean and sum of squared deviations of each channel over the rows of a block, `x.columns` values each.
public struct ChannelMoments {
    /// The largest number of rows in a block: few enough to be summed accurately in float32.
    public static let blockRows = 64

    public let x: Matrix
    public let means: UnsafeMutablePointer<Float>
    public let squares: UnsafeMutablePointer<Float>

    /// - Parameter x: a block, at least one row.
    @inlinable
    public init(_ x: Matrix, means: UnsafeMutablePointer<Float>, squares: UnsafeMutablePointer<Float>) {
        (self.x, self.means, self.squares) = (x, means, squares)
    }

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        forEachGroup(x.columns) {
            moments($0, 16)
        } rest: {
            moments($0, $1)
        }
    }

    @usableFromInline @_transparent
    func moments(_ column: Int, _ count: Int) {
        var total = splat(0)
        for row in 0..<x.rows { total += load(x.row(row) + column, count: count) }
        let mean = total / splat(Float(x.rows))
        var deviations = splat(0)
        for row in 0..<x.rows {
            let centred = load(x.row(row) + column, count: count) - mean
            deviations += centred * centred
        }
        store(mean, means + column, count: count)
        store(deviations, squares + column, count: count)
    }
}

/// Turns the moments of consecutive blocks of `ChannelMoments.blockRows` rows into each channel's mean and factor
/// `weight / sqrt(variance + epsilon)`, both of `moments.columns` values. Variance is the biased one.
///
/// In double precision, by the pairwise formula of Chan, Golub and LeVeque (1979).
/// - Parameters:
///   - moments: two rows for each block, means and squared deviations.
///   - rows: of the whole map, at least 1.
///   - range: the groups to compute, of `groups`; `moments.columns` is a multiple of `groups`.
public func groupFactors(
    _ moments: Matrix, rows: Int, groups: Int, range: Range<Int>, epsilon: Float, weight: UnsafePointer<Float>,
    means: UnsafeMutablePointer<Float>, factors: UnsafeMutablePointer<Float>
) {
    let width = moments.columns / groups
    let count = Double(rows) * Double(width)
    func forEachBlock(_ body: (_ rows: Double, _ means: UnsafeMutablePointer<Float>, _ squares: UnsafeMutablePointer<Float>) -> Void) {
        for block in 0..<moments.rows / 2 {
            body(Double(min(ChannelMoments.blockRows, rows - block * ChannelMoments.blockRows)), moments.row(2 * block), moments.row(2 * block + 1))
        }
    }
    for group in range {
        let channels = group * width..<(group + 1) * width
        var total = 0.0
        var squares = 0.0
        forEachBlock { rows, blockMeans, _ in
            for channel in channels { total += rows * Double(blockMeans[channel]) }
        }
        let mean = total / count
        forEachBlock { rows, blockMeans, blockSquares in
            for channel in channels {
                let apart = Double(blockMeans[channel]) - mean
                squares += Double(blockSquares[channel]) + rows * apart * apart
            }
        }
        let deviation = squareRoot(Float(squares / count) + epsilon)
        for channel in channels {
            means[channel] = Float(mean)
            factors[channel] = weight[channel] / deviation
        }
    }
}
