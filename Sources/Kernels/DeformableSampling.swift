/// The maps that deformable attention samples from: sizes, and where each begins among the rows of the values.
public struct Levels {
    public let sizes: UnsafePointer<Size>
    public let starts: UnsafePointer<Int>
    public let count: Int

    @inlinable
    public init(sizes: UnsafePointer<Size>, starts: UnsafePointer<Int>, count: Int) {
        self.sizes = sizes
        self.starts = starts
        self.count = count
    }
}

/// `SampledAttention`, done.
@inlinable
public func sampledAttention<Values: Rows>(
    _ values: Values, levels: Levels, heads: Int, points: Int, offsets: Matrix, weights: Matrix, rows: Range<Int>, into out: Matrix
) {
    SampledAttention(values, levels: levels, heads: heads, points: points, offsets: offsets, weights: weights, rows: rows, into: out).perform(Portable.self)
}

/// Multi-scale deformable sampling (Zhu et al. 2021, equation 3) of the rows `rows`, without its linear layers.
public struct SampledAttention<Values: Rows> {
    public let values: Values
    public let levels: Levels
    public let heads: Int
    public let points: Int
    public let offsets: Matrix
    public let weights: Matrix
    public let rows: Range<Int>
    public let out: Matrix

    /// - Parameters:
    ///   - values: `[S][d]`, the levels' pixels row-major one level after the other; head `h` has channels `h * d/heads...`.
    ///   - offsets: `[S][heads][levels][points][2]`, x then y, in pixels of the level sampled.
    ///   - weights: `[S][heads][levels][points]`, already softmaxed over levels and points.
    ///   - rows: which of the S rows to compute. A row's own position on its own level is the reference point.
    ///   - out: `[S][d]`; only `rows` are written.
    ///
    /// Each sample is bilinear between pixel centres (align_corners false) with zeros outside the map; any offset is allowed, NaN included.
    @inlinable
    public init(
        _ values: Values, levels: Levels, heads: Int, points: Int, offsets: Matrix, weights: Matrix, rows: Range<Int>, into out: Matrix
    ) {
        (self.values, self.levels, self.heads, self.points) = (values, levels, heads, points)
        (self.offsets, self.weights, self.rows, self.out) = (offsets, weights, rows, out)
    }

    @inlinable @inline(__always)
    public func perform<Path>(_ path: Path.Type) {
        let headWidth = out.columns / heads, share = levels.count * points
        var level = 0
        for index in rows {
            while level + 1 < levels.count && index >= levels.starts[level + 1] { level += 1 }
            let size = levels.sizes[level], pixel = index - levels.starts[level]
            let x = (Float(pixel % size.width) + 0.5) / Float(size.width)
            let y = (Float(pixel / size.width) + 0.5) / Float(size.height)
            for head in 0..<heads {
                sampleHead(
                    values, levels: levels, points: points, reference: (x, y), offsets: offsets.row(index) + head * share * 2,
                    weights: weights.row(index) + head * share, firstChannel: head * headWidth, channels: headWidth,
                    into: out.row(index) + head * headWidth, path)
            }
        }
    }
}

@inlinable @inline(__always)
func sampleHead<Values: Rows, Path>(
    _ values: Values, levels: Levels, points: Int, reference: (x: Float, y: Float),
    offsets: UnsafePointer<Float>, weights: UnsafePointer<Float>, firstChannel: Int, channels: Int, into out: UnsafeMutablePointer<Float>, _: Path.Type
) {
    // 32 channels at a time: what one pass keeps in registers.
    for start in stride(from: 0, to: channels, by: 32) {
        let first = min(16, channels - start), second = max(0, min(16, channels - start - 16))
        let column = firstChannel + start
        var low = splat(0), high = splat(0)
        for level in 0..<levels.count {
            let size = levels.sizes[level]
            for point in 0..<points {
                let sample = level * points + point
                let x = bounded(reference.x * Float(size.width) + offsets[sample * 2] - 0.5, size.width)
                let y = bounded(reference.y * Float(size.height) + offsets[sample * 2 + 1] - 0.5, size.height)
                let left = floor(x), top = floor(y)
                let right = x - Float(left), below = y - Float(top), weight = weights[sample]
                for corner in 0..<4 {
                    let column0 = left + (corner & 1), row0 = top + (corner >> 1)
                    guard column0 >= 0, column0 < size.width, row0 >= 0, row0 < size.height else { continue }
                    let share = (corner & 1 == 0 ? 1 - right : right) * (corner >> 1 == 0 ? 1 - below : below) * weight
                    let row = levels.starts[level] + row0 * size.width + column0
                    low += values.load(row, column, count: first) * share
                    if second > 0 { high += values.load(row, column + 16, count: second) * share }
                }
            }
        }
        let scale = values.scale
        if first == 16 { store(low * scale, out + start) } else { store(low * scale, out + start, count: first) }
        if second == 16 { store(high * scale, out + start + 16) } else { store(high * scale, out + start + 16, count: second) }
    }
}

/// The largest integer not above `position`, which is small.
@usableFromInline @_transparent
func floor(_ position: Float) -> Int {
    let truncated = Int(position)
    return Float(truncated) > position ? truncated - 1 : truncated
}

/// `position` kept where a conversion to an integer is safe; -2 and `extent + 1` are as far outside the map as anything beyond.
@usableFromInline @_transparent
func bounded(_ position: Float, _ extent: Int) -> Float {
    let low = position > -2 ? position : -2
    return low < Float(extent + 1) ? low : Float(extent + 1)
}
