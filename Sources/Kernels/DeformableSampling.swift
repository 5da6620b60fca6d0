import CKernels

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
    _ values: Values, levels: Levels, heads: Int, points: Int, offsets: Matrix, weights: Matrix, rows: Range<Int>,
    scratch: UnsafeMutablePointer<Float>, into out: Matrix
) {
    SampledAttention(
        values, levels: levels, heads: heads, points: points, offsets: offsets, weights: weights, rows: rows, scratch: scratch, into: out
    ).perform(Portable.self)
}

/// Multi-scale deformable sampling (Zhu et al. 2021, equation 3) of the rows `rows`, without its linear layers.
///
/// Where a row's samples lie and what they weigh is computed for sixteen of them at a time, all heads together; what lies outside a map weighs
/// nothing. Then one head after the other sums its values.
public struct SampledAttention<Values: Rows> {
    public let values: Values
    public let levels: Levels
    public let heads: Int
    public let points: Int
    public let offsets: Matrix
    public let weights: Matrix
    public let rows: Range<Int>
    public let scratch: UnsafeMutablePointer<Float>
    public let out: Matrix

    /// - Parameters:
    ///   - values: `[S][d]`, the levels' pixels row-major one level after the other; head `h` has channels `h * d/heads...`. S < 2^24.
    ///   - offsets: `[S][heads][levels][points][2]`, x then y, in pixels of the level sampled.
    ///   - weights: `[S][heads][levels][points]`, already softmaxed over levels and points.
    ///   - rows: which of the S rows to compute. A row's own position on its own level is the reference point.
    ///   - scratch: `scratchCount` floats for as many samples as `weights` has columns.
    ///   - out: `[S][d]`; only `rows` are written.
    ///
    /// Each sample is bilinear between pixel centres (align_corners false) with zeros outside the map; any offset is allowed, NaN included.
    @inlinable
    public init(
        _ values: Values, levels: Levels, heads: Int, points: Int, offsets: Matrix, weights: Matrix, rows: Range<Int>,
        scratch: UnsafeMutablePointer<Float>, into out: Matrix
    ) {
        (self.values, self.levels, self.heads, self.points) = (values, levels, heads, points)
        (self.offsets, self.weights, self.rows, self.scratch, self.out) = (offsets, weights, rows, scratch, out)
    }

    /// Floats of scratch for rows of `samples` samples over all heads.
    public static func scratchCount(samples: Int) -> Int { 11 * stride(samples) }

    /// Floats from one part of the scratch memory to the next.
    @inlinable
    static func stride(_ samples: Int) -> Int { (samples + 15) / 16 * 16 }

    @inlinable @inline(__always)
    public func perform<Path>(_: Path.Type) {
        let samples = heads * levels.count * points, stride = Self.stride(samples)
        // Of each sample: the map's width, height and first row; the shares of the four pixels around it; their rows.
        let widths = scratch, heights = widths + stride, starts = heights + stride, shares = starts + stride
        let pixels = UnsafeMutableRawPointer(shares + 4 * stride).assumingMemoryBound(to: Int32.self)
        for sample in 0..<stride {
            let level = sample / points % levels.count
            widths[sample] = Float(levels.sizes[level].width)
            heights[sample] = Float(levels.sizes[level].height)
            starts[sample] = Float(levels.starts[level])
        }
        var level = 0
        for index in rows {
            while level + 1 < levels.count && index >= levels.starts[level + 1] { level += 1 }
            let size = levels.sizes[level], pixel = index - levels.starts[level]
            let x = (Float(pixel % size.width) + 0.5) / Float(size.width)
            let y = (Float(pixel / size.width) + 0.5) / Float(size.height)
            let offsets = offsets.row(index), weights = weights.row(index)
            forEachGroup(samples) {
                locate(
                    load(offsets + 2 * $0), load(offsets + 2 * $0 + 16), load(weights + $0), x, y, widths: load(widths + $0), heights: load(heights + $0),
                    starts: load(starts + $0), shares: shares + $0, pixels: pixels + $0, stride: stride)
            } rest: {
                locate(
                    load(offsets + 2 * $0, count: min(16, 2 * $1)), load(offsets + 2 * $0 + 16, count: max(0, 2 * $1 - 16)), load(weights + $0, count: $1),
                    x, y, widths: load(widths + $0), heights: load(heights + $0), starts: load(starts + $0), shares: shares + $0, pixels: pixels + $0,
                    stride: stride)
            }
            gather(shares, pixels, stride: stride, into: out.row(index))
        }
    }

    /// Shares and rows of the four pixels around each of sixteen samples: left before right, above before below, `stride` apart.
    @usableFromInline @_transparent
    func locate(
        _ firstOffsets: Lanes, _ secondOffsets: Lanes, _ weights: Lanes, _ x: Float, _ y: Float, widths: Lanes, heights: Lanes, starts: Lanes,
        shares: UnsafeMutablePointer<Float>, pixels: UnsafeMutablePointer<Int32>, stride: Int
    ) {
        let column = bounded(widths * x + kernels_even(firstOffsets, secondOffsets) - 0.5, widths)
        let row = bounded(heights * y + kernels_odd(firstOffsets, secondOffsets) - 0.5, heights)
        let left = floor(column), top = floor(row), right = column - left, below = row - top
        for corner in 0..<4 {
            let column = corner & 1 == 0 ? left : left + 1, row = corner >> 1 == 0 ? top : top + 1
            let share = (corner & 1 == 0 ? 1 - right : right) * (corner >> 1 == 0 ? 1 - below : below) * weights
            let isInside = kernels_and_words(
                kernels_and_words(splat(0) .<= column, column .< widths), kernels_and_words(splat(0) .<= row, row .< heights))
            // Rows are exact in floats. A pixel outside counts as the map's first.
            let pixel = starts + choose(row * widths + column, splat(0), where: isInside)
            store(choose(share, splat(0), where: isInside), shares + corner * stride)
            UnsafeMutableRawPointer(pixels + corner * stride).storeBytes(of: kernels_lanes_to_words(pixel), as: Words.self)
        }
    }

    /// `position` kept where a conversion to an integer is safe; -2 and `extent + 1` are as far outside the map as anything beyond.
    @usableFromInline @_transparent
    func bounded(_ position: Lanes, _ extents: Lanes) -> Lanes {
        smaller(extents + 1, choose(position, splat(-2), where: splat(-2) .< position))
    }

    /// The largest integers not above `position`, which is small.
    @usableFromInline @_transparent
    func floor(_ position: Lanes) -> Lanes {
        let truncated = converted(kernels_lanes_to_words(position))
        return choose(truncated - 1, truncated, where: position .< truncated)
    }

    /// Each head's sum of shares x values.
    @inlinable @inline(__always)
    func gather(_ shares: UnsafePointer<Float>, _ pixels: UnsafePointer<Int32>, stride: Int, into out: UnsafeMutablePointer<Float>) {
        let width = self.out.columns / heads, samples = levels.count * points
        for head in 0..<heads {
            let shares = shares + head * samples, pixels = pixels + head * samples
            // 32 channels at a time: what one pass keeps in registers.
            for start in Swift.stride(from: head * width, to: (head + 1) * width, by: 32) {
                let first = ChannelWindow(start, (head + 1) * width, of: self.out.columns)
                var low = splat(0), high = splat(0)
                if self.out.columns < 16 {
                    forEachPixel(shares, pixels, count: samples, stride: stride) { row, share in
                        low += values.load(row, 0, count: first.count) * share
                    }
                } else if start + 16 >= (head + 1) * width {
                    forEachPixel(shares, pixels, count: samples, stride: stride) { row, share in
                        low += values.load(row, first.column) * share
                    }
                } else {
                    let second = ChannelWindow(start + 16, (head + 1) * width, of: self.out.columns)
                    forEachPixel(shares, pixels, count: samples, stride: stride) { row, share in
                        low += values.load(row, first.column) * share
                        high += values.load(row, second.column) * share
                    }
                    second.store(high * values.scale, in: out)
                }
                first.store(low * values.scale, in: out)
            }
        }
    }

    @usableFromInline @_transparent
    func forEachPixel(_ shares: UnsafePointer<Float>, _ pixels: UnsafePointer<Int32>, count: Int, stride: Int, _ body: (Int, Lanes) -> Void) {
        for sample in 0..<count {
            for corner in 0..<4 { body(Int(pixels[corner * stride + sample]), splat(shares[corner * stride + sample])) }
        }
    }
}

/// Up to sixteen channels of a head, and where sixteen are read to get them: the last ones of a row lie further back.
@usableFromInline
struct ChannelWindow {
    @usableFromInline let column: Int
    /// 16 unless the whole row has less.
    @usableFromInline let count: Int
    @usableFromInline let isOwn: Words

    /// The channels `start..<end` of rows of `columns`.
    @inlinable @inline(__always)
    init(_ start: Int, _ end: Int, of columns: Int) {
        column = max(0, min(start, columns - 16))
        count = min(16, columns)
        var isOwn = kernels_splat_words(0)
        for lane in 0..<16 { isOwn[lane] = column + lane >= start && column + lane < end ? -1 : 0 }
        self.isOwn = isOwn
    }

    /// Writes the head's own channels of a row.
    @usableFromInline @_transparent
    func store(_ values: Lanes, in row: UnsafeMutablePointer<Float>) {
        Kernels.store(choose(values, load(row + column, count: count), where: isOwn), row + column, count: count)
    }
}
