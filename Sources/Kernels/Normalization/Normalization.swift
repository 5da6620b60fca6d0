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
    func perform<Registers: VectorRegisters>(_ registers: Registers.Type) {
        guard columns > 0 else { return }
        var row = rows.lowerBound
        // If sixteen lanes are one register, the additions of one row depend on each other: several rows at once keep the processor busy.
        if Registers.registers >= 32 {
            while row + 4 <= rows.upperBound {
                normalize(row, TileShape<4, 1>.self, registers)
                row += 4
            }
        }
        while row < rows.upperBound {
            normalize(row, TileShape<1, 1>.self, registers)
            row += 1
        }
    }

    /// `R` rows from `row` on.
    @inlinable @inline(__always)
    func normalize<Registers, let R: Int>(_ row: Int, _: TileShape<R, 1>.Type, _: Registers.Type) {
        let x = x + row * columns
        let stride = columns
        var sums = InlineArray<R, _>(repeating: splat(0))
        var means = InlineArray<R, _>(repeating: 0 as Float)
        var factors = means
        forEachGroup(columns) {
            for r in 0..<R { sums[r] += load(x + (r &* stride &+ $0)) }
        } rest: {
            for r in 0..<R { sums[r] += load(x + (r &* stride &+ $0), count: $1) }
        }
        for r in 0..<R {
            means[r] = sum(sums[r]) / Float(columns)
            sums[r] = splat(0)
        }
        forEachGroup(columns) {
            for r in 0..<R {
                let centred = load(x + (r &* stride &+ $0)) - means[r]
                sums[r] += centred * centred
            }
        } rest: {
            for r in 0..<R {
                let centred = load(x + (r &* stride &+ $0), count: $1, fill: means[r]) - means[r]
                sums[r] += centred * centred
            }
        }
        for r in 0..<R { factors[r] = 1 / squareRoot(sum(sums[r]) / Float(columns) + epsilon) }
        forEachGroup(columns) {
            for r in 0..<R { write(load(x + (r &* stride &+ $0)), row: row + r, column: $0, count: 16, mean: means[r], factor: factors[r]) }
        } rest: {
            for r in 0..<R { write(load(x + (r &* stride &+ $0), count: $1), row: row + r, column: $0, count: $1, mean: means[r], factor: factors[r]) }
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
