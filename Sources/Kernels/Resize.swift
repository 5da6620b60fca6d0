/// Where one output row or column of a bilinear resize reads: two source indices and the second's share.
///
/// PyTorch's convention for `align_corners=False` without antialiasing, in its float32 order:
/// source = max((i + 0.5) * in / out - 0.5, 0).
public struct BilinearTap {
    public let lower, upper: Int
    /// Weight of `upper`, 0...1; `lower` has the rest.
    public let share: Float

    /// - Parameters: output index, input extent and output extent, in pixels, all extents at least 1.
    @inlinable
    public init(_ index: Int, from input: Int, to output: Int) {
        let source = Float(input) / Float(output) * (Float(index) + 0.5) - 0.5
        let position = source > 0 ? source : 0
        lower = min(Int(position), input - 1)
        upper = min(lower + 1, input - 1)
        let fraction = position - Float(lower)
        share = fraction < 1 ? fraction : 1
    }
}

/// Bilinear resize of a map (one row per pixel, one column per channel) to `y`, which has `to.area` rows.
public func resizeBilinear(_ x: Matrix, from: Size, to: Size, into y: Matrix) {
    resizeBilinear(x, from: from, to: to, rows: 0..<to.height, into: y)
}

/// As above for the output rows `rows` (of pixels) alone; `y` is the whole output map.
public func resizeBilinear(_ x: Matrix, from: Size, to: Size, rows: Range<Int>, into y: Matrix) {
    for row in rows {
        let vertical = BilinearTap(row, from: from.height, to: to.height)
        for column in 0..<to.width {
            let horizontal = BilinearTap(column, from: from.width, to: to.width)
            blend(
                x.row(vertical.lower * from.width + horizontal.lower), x.row(vertical.lower * from.width + horizontal.upper),
                x.row(vertical.upper * from.width + horizontal.lower), x.row(vertical.upper * from.width + horizontal.upper),
                vertical.share, horizontal.share, count: x.columns, into: y.row(row * to.width + column))
        }
    }
}

/// Bilinear resize of one plane, `from.area` values row-major, to `to.area` values.
public func resizeBilinearPlane(_ x: UnsafePointer<Float>, from: Size, to: Size, into y: UnsafeMutablePointer<Float>) {
    for row in 0..<to.height {
        resizeBilinearPlaneRow(x, from: from, to: to, row: row, into: y + row * to.width)
    }
}

/// One row of `resizeBilinearPlane`, `to.width` values.
public func resizeBilinearPlaneRow(_ x: UnsafePointer<Float>, from: Size, to: Size, row: Int, into y: UnsafeMutablePointer<Float>) {
    let vertical = BilinearTap(row, from: from.height, to: to.height)
    let top = x + vertical.lower * from.width, bottom = x + vertical.upper * from.width
    let lowerShare = 1 - vertical.share
    for column in 0..<to.width {
        let tap = BilinearTap(column, from: from.width, to: to.width)
        let first = 1 - tap.share
        let above = first * top[tap.lower] + tap.share * top[tap.upper]
        let below = first * bottom[tap.lower] + tap.share * bottom[tap.upper]
        y[column] = lowerShare * above + vertical.share * below
    }
}

@inline(__always)
private func blend(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ c: UnsafePointer<Float>, _ d: UnsafePointer<Float>,
    _ vertical: Float, _ horizontal: Float, count: Int, into y: UnsafeMutablePointer<Float>
) {
    let above = 1 - vertical, left = 1 - horizontal
    for i in 0..<count {
        y[i] = above * (left * a[i] + horizontal * b[i]) + vertical * (left * c[i] + horizontal * d[i])
    }
}
