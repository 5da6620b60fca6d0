/// The sum of x[i] y[i]: element `i` in lane `i % 16`, the lanes added by the fixed tree of `sum(_:)`.
@inlinable @inline(__always)
public func dotProduct(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int) -> Float {
    var lanes = splat(0)
    forEachGroup(count) {
        lanes += load(x + $0) * load(y + $0)
    } rest: {
        lanes += load(x + $0, count: $1) * load(y + $0, count: $1)
    }
    return sum(lanes)
}

/// y[row][column] = `dotProduct` of row `row` of `x` and row `column` of `weights`.
public struct DotProducts {
    public let x: Matrix
    public let weights: UnsafePointer<Float>
    public let columns: Int
    public let y: UnsafeMutablePointer<Float>

    /// - Parameters: `x` is rows x depth, `weights` `[columns][depth]`, `y` `[x.rows][columns]`.
    @inlinable
    public init(_ x: Matrix, _ weights: UnsafePointer<Float>, columns: Int, into y: UnsafeMutablePointer<Float>) {
        (self.x, self.weights, self.columns, self.y) = (x, weights, columns, y)
    }

    @inlinable @inline(__always)
    func perform<Registers: VectorRegisters>(_: Registers.Type) {
        // As many sums as registers hold: each load is then used for several multiplications.
        if Registers.registers >= 32 { perform(TileShape<5, 5>.self, Registers.self) } else { perform(TileShape<2, 2>.self, Registers.self) }
    }

    /// The weights of a few columns stay in the first-level cache while all rows are read.
    @inlinable @inline(__always)
    func perform<Registers, let R: Int, let C: Int>(_ shape: TileShape<R, C>.Type, _ registers: Registers.Type) {
        var column = 0
        while column + C <= columns {
            sweep(column, shape, TileShape<1, C>.self, registers)
            column += C
        }
        while column < columns {
            sweep(column, TileShape<R, 1>.self, TileShape<1, 1>.self, registers)
            column += 1
        }
    }

    @inlinable @inline(__always)
    func sweep<Registers, let R: Int, let C: Int>(_ column: Int, _ shape: TileShape<R, C>.Type, _ single: TileShape<1, C>.Type, _ registers: Registers.Type) {
        var row = 0
        while row + R <= x.rows {
            tile(row, column, shape, registers)
            row += R
        }
        while row < x.rows {
            tile(row, column, single, registers)
            row += 1
        }
    }

    @inlinable @inline(__always)
    func tile<Registers, let R: Int, let C: Int>(_ row: Int, _ column: Int, _: TileShape<R, C>.Type, _: Registers.Type) {
        let depth = x.columns
        let rows = x.row(row)
        let weights = weights + column * depth
        var sums = InlineArray<R, _>(repeating: InlineArray<C, _>(repeating: splat(0)))
        var factors = InlineArray<C, _>(repeating: splat(0))
        var position = 0
        while position + 16 <= depth {
            for c in 0..<C { factors[c] = load(weights + (c &* depth &+ position)) }
            for r in 0..<R {
                let values = load(rows + (r &* depth &+ position))
                for c in 0..<C { sums[r][c] += values * factors[c] }
            }
            position += 16
        }
        if position < depth {
            for c in 0..<C { factors[c] = load(weights + (c &* depth &+ position), count: depth - position) }
            for r in 0..<R {
                let values = load(rows + (r &* depth &+ position), count: depth - position)
                for c in 0..<C { sums[r][c] += values * factors[c] }
            }
        }
        for r in 0..<R {
            for c in 0..<C { y[(row + r) * columns + column + c] = sum(sums[r][c]) }
        }
    }
}
