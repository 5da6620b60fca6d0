/// The sum of x[i] y[i]: element `i` in lane `i % 16`, the lanes added by the fixed tree of `sum(_:)`.
@inlinable @inline(__always)
public func dotProduct(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int) -> Float {
    var lanes = splat(0)
    forEachGroup(count) { lanes += load(x + $0) * load(y + $0) } rest: { lanes += load(x + $0, count: $1) * load(y + $0, count: $1) }
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
    func perform<Path>(_: Path.Type) {
        let depth = x.columns
        for column in stride(from: 0, to: columns, by: 2) {
            let first = weights + column * depth, second = column + 1 < columns ? first + depth : first
            // Two by two: four sums hide the latency of the addition, and the weights stay in the first-level cache.
            for row in stride(from: 0, to: x.rows, by: 2) {
                let upper = x.row(row), lower = row + 1 < x.rows ? upper + depth : upper
                var a = splat(0), b = a, c = a, d = a
                forEachGroup(depth) {
                    let u = load(upper + $0), l = load(lower + $0), f = load(first + $0), s = load(second + $0)
                    a += u * f
                    b += u * s
                    c += l * f
                    d += l * s
                } rest: {
                    let u = load(upper + $0, count: $1), l = load(lower + $0, count: $1)
                    let f = load(first + $0, count: $1), s = load(second + $0, count: $1)
                    a += u * f
                    b += u * s
                    c += l * f
                    d += l * s
                }
                let result = y + row * columns + column
                result[0] = sum(a)
                if column + 1 < columns { result[1] = sum(b) }
                if row + 1 < x.rows { result[columns] = sum(c) }
                if row + 1 < x.rows, column + 1 < columns { result[columns + 1] = sum(d) }
            }
        }
    }
}
