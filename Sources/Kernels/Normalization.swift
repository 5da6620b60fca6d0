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
