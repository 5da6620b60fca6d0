/// y = (x - mean) / sqrt(variance + epsilon) * weight + bias over one row of `count` values (Ba et al. 2016), in two passes.
///
/// Variance is the biased one. `weight` and `bias`, `count` values each, default to ones and zeros. `y` may be `x`.
public func layerNorm(
    _ x: UnsafePointer<Float>, count: Int, epsilon: Float,
    weight: UnsafePointer<Float>?, bias: UnsafePointer<Float>?, into y: UnsafeMutablePointer<Float>
) {
    LayerNorm(x, rows: 0..<1, columns: count, epsilon: epsilon, weight: weight, bias: bias, output: .floats(y, stride: 0)).perform(Portable.self)
}

/// `layerNorm` of the rows `rows` of `x`, dense.
public struct LayerNorm {
    public let x: UnsafePointer<Float>
    public let rows: Range<Int>
    public let columns: Int
    public let epsilon: Float
    public let weight: UnsafePointer<Float>?
    public let bias: UnsafePointer<Float>?
    public let output: RowOutput

    @inlinable
    public init(
        _ x: UnsafePointer<Float>, rows: Range<Int>, columns: Int, epsilon: Float, weight: UnsafePointer<Float>? = nil,
        bias: UnsafePointer<Float>? = nil, output: RowOutput
    ) {
        (self.x, self.rows, self.columns, self.epsilon) = (x, rows, columns, epsilon)
        (self.weight, self.bias, self.output) = (weight, bias, output)
    }

    @inlinable @inline(__always)
    func perform<Path>(_: Path.Type) {
        guard columns > 0 else { return }
        for row in rows {
            let x = x + row * columns
            var total = splat(0)
            forEachGroup(columns) { total += load(x + $0) } rest: { total += load(x + $0, count: $1) }
            let mean = sum(total) / Float(columns)
            var squares = splat(0)
            forEachGroup(columns) {
                let centred = load(x + $0) - mean
                squares += centred * centred
            } rest: {
                let centred = load(x + $0, count: $1, fill: mean) - mean
                squares += centred * centred
            }
            let factor = 1 / squareRoot(sum(squares) / Float(columns) + epsilon)
            forEachGroup(columns) {
                write(load(x + $0), row: row, column: $0, count: 16, mean: mean, factor: factor)
            } rest: {
                write(load(x + $0, count: $1), row: row, column: $0, count: $1, mean: mean, factor: factor)
            }
        }
    }

    @usableFromInline @_transparent
    func write(_ x: Lanes, row: Int, column: Int, count: Int, mean: Float, factor: Float) {
        var value = (x - mean) * factor
        if let weight { value *= load(weight + column, count: count) }
        if let bias { value += load(bias + column, count: count) }
        output.write(value, row: row, column: column, count: count)
    }
}

/// Group normalization (Wu and He 2018) of a map in place: each of `groups` equal runs of channels has one mean and one variance
/// over all rows of `x`; then weight and bias per channel and, if asked for, max(., 0).
///
/// Sums run over at most 64 rows in float32, then in Double, so that large maps lose nothing.
/// - Parameter range: which of the groups to normalize, all of them by default.
/// - Precondition: `x.columns` is a multiple of `groups`.
public func groupNorm(
    _ x: Matrix, groups: Int, range: Range<Int>? = nil, epsilon: Float, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>, relu: Bool
) {
    let width = x.columns / groups, count = Double(x.rows) * Double(width)
    guard x.rows > 0, width > 0 else { return }
    for group in range ?? 0..<groups {
        let channels = group * width..<(group + 1) * width
        let mean = Float(groupSum(x, channels) { $0 } / count)
        let variance = groupSum(x, channels) {
            let centred = $0 - mean
            return centred * centred
        } / count
        let factor = 1 / squareRoot(Float(variance) + epsilon)
        for index in 0..<x.rows {
            let row = x.row(index)
            for channel in channels {
                let value = (row[channel] - mean) * factor * weight[channel] + bias[channel]
                row[channel] = relu && value < 0 ? 0 : value
            }
        }
    }
}

/// The sum of `body` of every value in `channels` of all rows.
@inline(__always)
private func groupSum(_ x: Matrix, _ channels: Range<Int>, _ body: (SIMD8<Float>) -> SIMD8<Float>) -> Double {
    var total = 0.0
    for block in stride(from: 0, to: x.rows, by: 64) {
        var partial = SIMD8<Float>(repeating: 0)
        for index in block..<min(block + 64, x.rows) {
            let row = x.row(index)
            var channel = channels.lowerBound
            while channel + 8 <= channels.upperBound {
                partial += body(UnsafeRawPointer(row + channel).loadUnaligned(as: SIMD8<Float>.self))
                channel += 8
            }
            if channel < channels.upperBound {
                // Lanes beyond the end repeat the last channel and are dropped from the sum.
                let rest = channels.upperBound - channel
                var lanes = SIMD8<Float>(repeating: row[channel])
                for lane in 0..<rest { lanes[lane] = row[channel + lane] }
                let value = body(lanes)
                for lane in 0..<rest { partial[lane] += value[lane] }
            }
        }
        let four = partial.lowHalf + partial.highHalf
        let two = four.lowHalf + four.highHalf
        total += Double(two.x + two.y)
    }
    return total
}
