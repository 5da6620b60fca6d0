import CSIMD

/// The maps that deformable attention samples from: their sizes, and the first row of each among the values.
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

/// Multi-scale deformable sampling (Zhu et al. 2021, equation 3) of the rows `rows`, without its linear layers.
///
/// Positions and weights of a row's samples are computed for sixteen samples at a time, all heads together; pixels outside a map have weight
/// zero. Then the values are summed, one head after the other. Sums of int8 values are exact: see `Parts`.
public struct SampledAttention {
    public enum Values {
        case int8(Int8Rows)
        case floats(Matrix)
    }

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
    ///   - points: samples of each head on each level, at most 257 on all levels together.
    ///   - offsets: `[S][heads][levels][points][2]`, x then y, in pixels of the level sampled.
    ///   - weights: `[S][heads][levels][points]`, 0...1, already softmaxed over levels and points. For int8 values others count as 0 or 1.
    ///   - rows: the rows to compute, of S. A row's own position on its own level is the reference point.
    ///   - scratch: `scratchCount` floats for as many samples as `weights` has columns.
    ///   - out: `[rows.count][d]`.
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
    public static func scratchCount(samples: Int) -> Int { 11 * Samples.stride(samples) }

    @inlinable @inline(__always)
    public func perform<Registers>(_ registers: Registers.Type) {
        let count = heads * levels.count * points
        let samples = Samples(scratch, count: count)
        for sample in 0..<samples.stride {
            let level = sample / points % levels.count
            samples.widths[sample] = Float(levels.sizes[level].width)
            samples.heights[sample] = Float(levels.sizes[level].height)
            samples.starts[sample] = Float(levels.starts[level])
        }
        var level = 0
        for index in rows {
            while level + 1 < levels.count && index >= levels.starts[level + 1] { level += 1 }
            let size = levels.sizes[level]
            let pixel = index - levels.starts[level]
            let x = (Float(pixel % size.width) + 0.5) / Float(size.width)
            let y = (Float(pixel / size.width) + 0.5) / Float(size.height)
            let offsets = offsets.row(index)
            let weights = weights.row(index)
            forEachGroup(count) {
                let cornerWeights = samples.locate($0, load(offsets + 2 * $0), load(offsets + 2 * $0 + 16), x, y)
                keep(cornerWeights, load(weights + $0), samples.cornerWeights + $0, stride: samples.stride)
            } rest: {
                let cornerWeights = samples.locate(
                    $0, load(offsets + 2 * $0, count: min(16, 2 * $1)), load(offsets + 2 * $0 + 16, count: max(0, 2 * $1 - 16)), x, y)
                keep(cornerWeights, load(weights + $0, count: $1), samples.cornerWeights + $0, stride: samples.stride)
            }
            switch values {
            case .int8(let values): gather(values, samples, into: out.row(index - rows.lowerBound), registers)
            case .floats(let values): gather(values, samples, into: out.row(index - rows.lowerBound), registers)
            }
        }
    }

    /// Stores the weights of the four pixels around each of sixteen samples in the form that the sum of the values reads.
    @usableFromInline @_transparent
    func keep(_ cornerWeights: Corners, _ weights: Lanes, _ target: UnsafeMutablePointer<Float>, stride: Int) {
        switch values {
        case .int8:
            let weights = smaller(splat(1), larger(splat(0), weights))
            Parts(cornerWeights.upperLeft * weights).store(with: Parts(cornerWeights.upperRight * weights), target, target + stride)
            Parts(cornerWeights.lowerLeft * weights).store(with: Parts(cornerWeights.lowerRight * weights), target + 2 * stride, target + 3 * stride)
        case .floats:
            store(cornerWeights.upperLeft * weights, target)
            store(cornerWeights.upperRight * weights, target + stride)
            store(cornerWeights.lowerLeft * weights, target + 2 * stride)
            store(cornerWeights.lowerRight * weights, target + 3 * stride)
        }
    }

    // MARK: - Sums of weights x values

    /// Sums 32 channels of each head at a time, which fit into registers.
    @inlinable @inline(__always)
    func gather<Registers>(_ values: Int8Rows, _ samples: Samples, into out: UnsafeMutablePointer<Float>, _: Registers.Type) {
        let columns = self.out.columns
        let width = columns / heads
        let zero = Int8(truncatingIfNeeded: values.zeroPoint)
        let none = simd_splat_words(0)
        for head in 0..<heads {
            var start = head * width
            let end = start + width
            let own = head * levels.count * points..<(head + 1) * levels.count * points
            while start < end {
                let wide = end - start > 16 && columns >= 32
                // The first column at which so many can be read: for the last ones of a row it is further left.
                let column = max(0, min(start, columns - (wide ? 32 : 16)))
                let base = values.base + column
                var high = (none, none)
                var low = (none, none)
                if wide {
                    samples.forEachPair(own) { left, right, highs, lows in
                        let a = UnsafeRawPointer(base + left &* values.stride).loadUnaligned(as: SIMD32<Int8>.self)
                        let b = UnsafeRawPointer(base + right &* values.stride).loadUnaligned(as: SIMD32<Int8>.self)
                        let first = simd_pair_first(a, b, zero)
                        let second = simd_pair_second(a, b, zero)
                        high.0 = simd_add_pairs(high.0, first, highs)
                        low.0 = simd_add_pairs(low.0, first, lows)
                        high.1 = simd_add_pairs(high.1, second, highs)
                        low.1 = simd_add_pairs(low.1, second, lows)
                    }
                    high = (simd_first_columns(high.0, high.1), simd_second_columns(high.0, high.1))
                    low = (simd_first_columns(low.0, low.1), simd_second_columns(low.0, low.1))
                    put(Parts.joined(high.1, low.1, scale: values.scale), column + 16, of: start..<end, in: out)
                } else if columns >= 16 {
                    samples.forEachPair(own) { left, right, highs, lows in
                        let a = UnsafeRawPointer(base + left &* values.stride).loadUnaligned(as: SIMD16<Int8>.self)
                        let b = UnsafeRawPointer(base + right &* values.stride).loadUnaligned(as: SIMD16<Int8>.self)
                        let pairs = simd_pair(a, b, zero)
                        high.0 = simd_add_pairs(high.0, pairs, highs)
                        low.0 = simd_add_pairs(low.0, pairs, lows)
                    }
                } else {
                    samples.forEachPair(own) { left, right, highs, lows in
                        var a = SIMD16<Int8>(repeating: 0)
                        var b = a
                        for lane in 0..<columns { (a[lane], b[lane]) = (base[left &* values.stride &+ lane], base[right &* values.stride &+ lane]) }
                        let pairs = simd_pair(a, b, zero)
                        high.0 = simd_add_pairs(high.0, pairs, highs)
                        low.0 = simd_add_pairs(low.0, pairs, lows)
                    }
                }
                put(Parts.joined(high.0, low.0, scale: values.scale), column, of: start..<end, in: out)
                start += wide ? 32 : 16
            }
        }
    }

    /// Writes those of sixteen columns from `column` on that are among `own`.
    @usableFromInline @_transparent
    func put(_ values: Lanes, _ column: Int, of own: Range<Int>, in row: UnsafeMutablePointer<Float>) {
        let count = min(16, out.columns)
        let before = simd_lanes_before(Int32(truncatingIfNeeded: own.lowerBound - column))
        let isOwn = simd_choose_words(before, simd_splat_words(0), simd_lanes_before(Int32(truncatingIfNeeded: own.upperBound - column)))
        store(choose(values, load(row + column, count: count), where: isOwn), row + column, count: count)
    }

    /// The same for values in float32, sixteen channels at a time.
    @inlinable @inline(__always)
    func gather<Registers>(_ values: Matrix, _ samples: Samples, into out: UnsafeMutablePointer<Float>, _: Registers.Type) {
        let width = self.out.columns / heads
        let count = levels.count * points
        for head in 0..<heads {
            for start in Swift.stride(from: head * width, to: (head + 1) * width, by: 16) {
                let channels = min(16, (head + 1) * width - start)
                var sum = splat(0)
                for sample in head * count..<(head + 1) * count {
                    for corner in 0..<4 {
                        let index = sample &+ corner &* samples.stride
                        let row = values.base + Int(samples.pixels[index]) &* values.columns
                        sum += load(row + start, count: channels) * samples.cornerWeights[index]
                    }
                }
                store(sum, out + start, count: channels)
            }
        }
    }
}

/// The samples of a row, in scratch memory: one value of each kind for each sample, `stride` values a kind.
@usableFromInline
struct Samples {
    /// The map's width and height.
    @usableFromInline let widths: UnsafeMutablePointer<Float>
    @usableFromInline let heights: UnsafeMutablePointer<Float>
    /// The map's first row of values.
    @usableFromInline let starts: UnsafeMutablePointer<Float>
    /// Weights of the four pixels around the sample, in the order of `Corners`: floats, or as `Parts` stores them.
    @usableFromInline let cornerWeights: UnsafeMutablePointer<Float>
    /// Their rows of values.
    @usableFromInline let pixels: UnsafeMutablePointer<Int32>
    @usableFromInline let stride: Int

    @inlinable @inline(__always)
    init(_ scratch: UnsafeMutablePointer<Float>, count: Int) {
        stride = Self.stride(count)
        (widths, heights, starts, cornerWeights) = (scratch, scratch + stride, scratch + 2 * stride, scratch + 3 * stride)
        pixels = UnsafeMutableRawPointer(scratch + 7 * stride).assumingMemoryBound(to: Int32.self)
    }

    @inlinable
    static func stride(_ count: Int) -> Int { (count + 15) / 16 * 16 }

    /// Stores the pixels around the sixteen samples from `sample` on. - Returns: their weights, 0 outside the map.
    @usableFromInline @_transparent
    func locate(_ sample: Int, _ firstOffsets: Lanes, _ secondOffsets: Lanes, _ x: Float, _ y: Float) -> Corners {
        let widths = load(widths + sample)
        let heights = load(heights + sample)
        let starts = load(starts + sample)
        let columns = Neighbours(widths * x + simd_even(firstOffsets, secondOffsets) - 0.5, widths)
        let rows = Neighbours(heights * y + simd_odd(firstOffsets, secondOffsets) - 0.5, heights)
        // Rows are exact in floats.
        let upper = starts + rows.first * widths
        let lower = starts + rows.second * widths
        store(simd_lanes_to_words(upper + columns.first), pixels + sample)
        store(simd_lanes_to_words(upper + columns.second), pixels + sample + stride)
        store(simd_lanes_to_words(lower + columns.first), pixels + sample + 2 * stride)
        store(simd_lanes_to_words(lower + columns.second), pixels + sample + 3 * stride)
        return Corners(
            upperLeft: columns.firstWeight * rows.firstWeight, upperRight: columns.secondWeight * rows.firstWeight,
            lowerLeft: columns.firstWeight * rows.secondWeight, lowerRight: columns.secondWeight * rows.secondWeight)
    }

    /// Calls `body` with the pixels left and right of each sample, above and below it, and the high and the low parts of their weights.
    @usableFromInline @_transparent
    func forEachPair(_ range: Range<Int>, _ body: (_ left: Int, _ right: Int, _ high: Int32, _ low: Int32) -> Void) {
        let parts = UnsafeRawPointer(cornerWeights).assumingMemoryBound(to: Int32.self)
        for sample in range {
            body(Int(pixels[sample]), Int(pixels[sample &+ stride]), parts[sample], parts[sample &+ stride])
            let below = sample &+ 2 &* stride
            body(Int(pixels[below]), Int(pixels[below &+ stride]), parts[below], parts[below &+ stride])
        }
    }
}

/// One value for each of the four pixels around each of sixteen samples.
@usableFromInline
struct Corners {
    @usableFromInline let upperLeft: Lanes
    @usableFromInline let upperRight: Lanes
    @usableFromInline let lowerLeft: Lanes
    @usableFromInline let lowerRight: Lanes

    @usableFromInline @_transparent
    init(upperLeft: Lanes, upperRight: Lanes, lowerLeft: Lanes, lowerRight: Lanes) {
        (self.upperLeft, self.upperRight, self.lowerLeft, self.lowerRight) = (upperLeft, upperRight, lowerLeft, lowerRight)
    }
}

/// The columns, or rows, of pixels on both sides of sixteen positions, and their weights. A column outside the map is replaced by the first, with
/// weight zero.
@usableFromInline
struct Neighbours {
    @usableFromInline let first: Lanes
    @usableFromInline let second: Lanes
    @usableFromInline let firstWeight: Lanes
    @usableFromInline let secondWeight: Lanes

    @usableFromInline @_transparent
    init(_ position: Lanes, _ extent: Lanes) {
        // Clamped so that the conversion to an integer is safe; -2 and `extent + 1` are outside the map as well.
        let position = smaller(extent + 1, choose(position, splat(-2), where: splat(-2) .< position))
        let truncated = converted(simd_lanes_to_words(position))
        let first = choose(truncated - 1, truncated, where: position .< truncated)
        let second = first + 1
        let rest = position - first
        let isFirst = simd_and_words(splat(0) .<= first, first .< extent)
        let isSecond = simd_and_words(splat(0) .<= second, second .< extent)
        self.first = choose(first, splat(0), where: isFirst)
        self.second = choose(second, splat(0), where: isSecond)
        firstWeight = choose(1 - rest, splat(0), where: isFirst)
        secondWeight = choose(rest, splat(0), where: isSecond)
    }
}

/// Sixteen weights, 0...1, as integers of 26 bits, in two parts for 16-bit multiplications. Sums of up to 1028 of these times int8 values fit
/// into 32 bits.
@usableFromInline
struct Parts {
    @usableFromInline let high: Words
    @usableFromInline let low: Words

    @usableFromInline @_transparent
    init(_ cornerWeights: Lanes) {
        let scaled = cornerWeights * 8192
        high = simd_lanes_to_words(scaled)
        low = simd_lanes_to_words((scaled - converted(high)) * 8192)
    }

    /// Writes the high parts in pairs with those of `right`, then the low parts.
    @usableFromInline @_transparent
    func store(with right: Parts, _ highs: UnsafeMutablePointer<Float>, _ lows: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(highs).storeBytes(of: simd_add_words(high, simd_shift_left(right.high, 16)), as: Words.self)
        UnsafeMutableRawPointer(lows).storeBytes(of: simd_add_words(low, simd_shift_left(right.low, 16)), as: Words.self)
    }

    /// The real sums of `scale` x values, from those of the parts.
    @usableFromInline @_transparent
    static func joined(_ high: Words, _ low: Words, scale: Float) -> Lanes {
        (converted(high) * 8192 + converted(low)) * (scale / 67_108_864)
    }
}
