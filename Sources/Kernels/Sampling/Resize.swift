/// The sources of one output row or column of a bilinear resize: two indices, and the weight of the second.
///
/// PyTorch's convention for `align_corners=False` without antialiasing, in its float32 order:
/// source = max((i + 0.5) * in / out - 0.5, 0).
public struct BilinearTap {
    public let lower, upper: Int
    /// Weight of `upper`, 0...1; `lower` has the rest.
    public let fraction: Float

    /// - Parameters: output index, input extent and output extent, in pixels, all extents at least 1.
    @inlinable
    public init(_ index: Int, from input: Int, to output: Int) {
        let source = Float(input) / Float(output) * (Float(index) + 0.5) - 0.5
        let position = source > 0 ? source : 0
        lower = min(Int(position), input - 1)
        upper = min(lower + 1, input - 1)
        let rest = position - Float(lower)
        fraction = rest < 1 ? rest : 1
    }
}

/// Bilinear resize of a map (one row per pixel, one column per channel) to `y`, which has `to.area` rows.
public func resizeBilinear(_ x: Matrix, from: Size, to: Size, into y: Matrix) {
    for line in 0..<to.height {
        ResizedLine(x, from: from, to: to, line: line, into: y.row(line * to.width)).perform(Portable.self)
    }
}

/// Line `line` of a map resized bilinearly, `to.width` pixels of `x.columns` channels.
public struct ResizedLine {
    public let x: Matrix
    public let from, to: Size
    public let line: Int
    public let y: UnsafeMutablePointer<Float>

    @inlinable
    public init(_ x: Matrix, from: Size, to: Size, line: Int, into y: UnsafeMutablePointer<Float>) {
        (self.x, self.from, self.to, self.line, self.y) = (x, from, to, line, y)
    }

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        let vertical = BilinearTap(line, from: from.height, to: to.height)
        let top = x.row(vertical.lower * from.width)
        let bottom = x.row(vertical.upper * from.width)
        for column in 0..<to.width {
            let horizontal = BilinearTap(column, from: from.width, to: to.width)
            let left = horizontal.lower * x.columns
            let right = horizontal.upper * x.columns
            let pixel = y + column * x.columns
            forEachGroup(x.columns) {
                blend(top, bottom, left + $0, right + $0, vertical.fraction, horizontal.fraction, count: 16, into: pixel + $0)
            } rest: {
                blend(top, bottom, left + $0, right + $0, vertical.fraction, horizontal.fraction, count: $1, into: pixel + $0)
            }
        }
    }

    @usableFromInline @_transparent
    func blend(
        _ top: UnsafeMutablePointer<Float>, _ bottom: UnsafeMutablePointer<Float>, _ left: Int, _ right: Int, _ vertical: Float, _ horizontal: Float,
        count: Int, into y: UnsafeMutablePointer<Float>
    ) {
        let first = 1 - horizontal
        let above = load(top + left, count: count) * first + load(top + right, count: count) * horizontal
        let below = load(bottom + left, count: count) * first + load(bottom + right, count: count) * horizontal
        store(above * (1 - vertical) + below * vertical, y, count: count)
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
    let top = x + vertical.lower * from.width
    let bottom = x + vertical.upper * from.width
    let lowerFraction = 1 - vertical.fraction
    for column in 0..<to.width {
        let tap = BilinearTap(column, from: from.width, to: to.width)
        let first = 1 - tap.fraction
        let above = first * top[tap.lower] + tap.fraction * top[tap.upper]
        let below = first * bottom[tap.lower] + tap.fraction * bottom[tap.upper]
        y[column] = lowerFraction * above + vertical.fraction * below
    }
}
