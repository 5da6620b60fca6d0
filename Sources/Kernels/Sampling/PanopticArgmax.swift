import CSIMD

/// The panoptic argmax: the mask that wins each pixel of some rows of a picture, which is the first whose score x sigmoid(logit) is the largest.
///
/// Logits are enlarged to the network's padded input, cropped, and resized to the picture, bilinear both times. The result equals that of
/// all masks at all pixels, with less work. Of sixteen columns of `rows` at a time, a mask is skipped if its surrounding logits can neither win nor
/// change their sign, and sixteen sigmoids are skipped if a bound on the winning logits excludes all of them.
public struct PanopticArgmax {
    /// Set in the result where the winner's logit is not negative.
    public static let insideBit: UInt16 = 0x8000

    public struct Candidate {
        /// Logits, row-major, of the size of all masks.
        public let mask: UnsafePointer<Float>
        /// 0...1.
        public let score: Float

        public init(mask: UnsafePointer<Float>, score: Float) {
            (self.mask, self.score) = (mask, score)
        }
    }

    /// The source pixels of one axis: of the picture in the cropped input, and of the input in the masks.
    public struct Axis {
        public let picture: UnsafePointer<BilinearTap>
        public let network: UnsafePointer<BilinearTap>

        public init(picture: UnsafePointer<BilinearTap>, network: UnsafePointer<BilinearTap>) {
            (self.picture, self.network) = (picture, network)
        }
    }

    public let candidates: UnsafePointer<Candidate>
    public let count: Int
    public let maskSize: Size
    public let vertical, horizontal: Axis
    public let rows: Range<Int>
    public let width: Int
    public let scratch: UnsafeMutablePointer<Float>
    public let winners: UnsafeMutablePointer<UInt16>
    public let areas: UnsafeMutablePointer<UInt64>

    /// - Parameters:
    ///   - candidates: `count` of them, 1...32768, their logits finite.
    ///   - rows: of the picture, at least one, each of `width` pixels.
    ///   - scratch: `scratchCount` floats.
    ///   - winners: the picture's, row-major; those of `rows` become the winner's index, with `insideBit`.
    ///   - areas: `count` of them; each grows by the pixels of `rows` where the candidate's logit is not negative.
    /// - Precondition: masks are not larger than the padded input.
    public init(
        _ candidates: UnsafePointer<Candidate>, count: Int, maskSize: Size, vertical: Axis, horizontal: Axis, rows: Range<Int>, width: Int,
        scratch: UnsafeMutablePointer<Float>, winners: UnsafeMutablePointer<UInt16>, areas: UnsafeMutablePointer<UInt64>
    ) {
        (self.candidates, self.count, self.maskSize) = (candidates, count, maskSize)
        (self.vertical, self.horizontal, self.rows, self.width) = (vertical, horizontal, rows, width)
        (self.scratch, self.winners, self.areas) = (scratch, winners, areas)
    }

    /// Floats of scratch for `rows` rows of a picture of `height` rows, to which `inner` rows of the input are resized.
    public static func scratchCount(rows: Int, inner: Int, height: Int, candidates: Int) -> Int {
        let networkRows = (rows * inner + height - 1) / height + 2
        return 16 * (3 * rows + 2 * networkRows + 2 + candidates)
    }

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        let networkRows = vertical.picture[rows.lowerBound].lower..<vertical.picture[rows.upperBound - 1].upper + 1
        let maskRows = vertical.network[networkRows.lowerBound].lower..<vertical.network[networkRows.upperBound - 1].upper + 1
        // Of each pixel: the best value, its reciprocal and its owner. Of the candidate in work: the rows that its logits are blended from.
        let best = scratch
        let reciprocal = best + 16 * rows.count
        let owner = reciprocal + 16 * rows.count
        let networkLines = owner + 16 * rows.count
        let maskLines = networkLines + 16 * networkRows.count
        let areaLanes = maskLines + 16 * maskRows.count
        for index in 0..<count { store(splat(0), areaLanes + 16 * index) }
        var start = 0
        while start < width {
            let columns = Columns(start, of: width, horizontal, maskWidth: maskSize.width)
            for row in 0..<rows.count {
                store(splat(-1), best + 16 * row)
                store(splat(.infinity), reciprocal + 16 * row)
                store(splat(0), owner + 16 * row)
            }
            // The reciprocal of the smallest best value.
            var weakest = Float.infinity
            for index in 0..<count {
                let first = candidates[index].mask + columns.mask
                let score = candidates[index].score
                var highest = splat(-.infinity)
                var lowest = splat(.infinity)
                for row in maskRows {
                    let line = load(first + row * maskSize.width, count: columns.maskCount)
                    highest = larger(highest, line)
                    lowest = smaller(lowest, line)
                }
                // The first wins everywhere. Blends of negative logits are negative unless they underflow to zero.
                let mayWin = index == 0 || simd_any(simd_and_words(leastLogit(score, splat(weakest)) .< highest, columns.isRead))
                let mayBeInside = simd_any(simd_and_words(splat(-1e-30) .<= highest, columns.isRead))
                let mayBeOutside = simd_any(simd_and_words(lowest .< splat(0), columns.isRead))
                if !mayWin, !(mayBeInside && mayBeOutside) {
                    if mayBeInside { store(load(areaLanes + 16 * index) + columns.ones * Float(rows.count), areaLanes + 16 * index) }
                    continue
                }
                for row in maskRows {
                    let line = load(first + row * maskSize.width, count: columns.maskCount)
                    store(
                        blend(simd_permute(line, columns.lowerMask), simd_permute(line, columns.upperMask), columns.maskFraction),
                        maskLines + 16 * (row - maskRows.lowerBound))
                }
                for row in networkRows {
                    let line = blend(maskLines, maskRows.lowerBound, vertical.network[row])
                    store(
                        blend(simd_permute(line, columns.lower), simd_permute(line, columns.upper), columns.fraction),
                        networkLines + 16 * (row - networkRows.lowerBound))
                }
                var area = load(areaLanes + 16 * index)
                var hasWon = false
                for row in 0..<rows.count {
                    let logit = blend(networkLines, networkRows.lowerBound, vertical.picture[rows.lowerBound + row])
                    let isInside = splat(0) .<= logit
                    area += choose(columns.ones, splat(0), where: isInside)
                    guard index == 0 || simd_any(leastLogit(score, load(reciprocal + 16 * row)) .< logit) else { continue }
                    let value = sigmoid(logit) * score
                    let old = load(best + 16 * row)
                    let wins = old .< value
                    let new = choose(value, old, where: wins)
                    let code = choose(splat(Float(index + Int(Self.insideBit))), splat(Float(index)), where: isInside)
                    store(new, best + 16 * row)
                    store(1 / new, reciprocal + 16 * row)
                    store(choose(code, load(owner + 16 * row), where: wins), owner + 16 * row)
                    hasWon = true
                }
                store(area, areaLanes + 16 * index)
                if hasWon {
                    var most = splat(0)
                    for row in 0..<rows.count { most = larger(most, load(reciprocal + 16 * row)) }
                    weakest = largest(most)
                }
            }
            for row in 0..<rows.count {
                let target = winners + ((rows.lowerBound + row) * width + start)
                for column in 0..<columns.count { target[column] = UInt16(owner[16 * row + column]) }
            }
            start += columns.count
        }
        for index in 0..<count { areas[index] += UInt64(sum(load(areaLanes + 16 * index))) }
    }
}

// MARK: - Parts

extension PanopticArgmax {
    /// Up to sixteen columns of the picture that read at most sixteen of the input, and those at most sixteen of the masks.
    @usableFromInline
    struct Columns {
        /// Lanes in use; those beyond repeat the last.
        @usableFromInline var count = 1
        /// The masks' column in lane 0, and how many are loaded.
        @usableFromInline let mask, maskCount: Int
        /// Lanes of the masks that are read.
        @usableFromInline var isRead = simd_splat_words(0)
        /// The input's columns by those of the masks, the picture's by the input's.
        @usableFromInline var lowerMask = simd_splat_words(0), upperMask = simd_splat_words(0), maskFraction = splat(0)
        @usableFromInline var lower = simd_splat_words(0), upper = simd_splat_words(0), fraction = splat(0)
        /// 1 in lanes in use, 0 beyond.
        @usableFromInline var ones = splat(0)

        @inlinable @inline(__always)
        init(_ start: Int, of width: Int, _ axis: Axis, maskWidth: Int) {
            let first = axis.picture[start].lower
            mask = max(0, min(axis.network[first].lower, maskWidth - 16))
            maskCount = min(16, maskWidth)
            while count < 16, start + count < width {
                let upper = axis.picture[start + count].upper
                guard upper - first < 16, axis.network[upper].upper - mask < 16 else { break }
                count += 1
            }
            let last = axis.picture[start + count - 1].upper
            for lane in 0..<16 {
                let tap = axis.picture[start + min(lane, count - 1)]
                let maskTap = axis.network[min(first + lane, last)]
                lower[lane] = Int32(tap.lower - first)
                upper[lane] = Int32(tap.upper - first)
                fraction[lane] = tap.fraction
                lowerMask[lane] = Int32(maskTap.lower - mask)
                upperMask[lane] = Int32(maskTap.upper - mask)
                maskFraction[lane] = maskTap.fraction
                isRead[lane] = mask + lane >= axis.network[first].lower && mask + lane <= axis.network[last].upper ? -1 : 0
                ones[lane] = lane < count ? 1 : 0
            }
        }
    }

    @usableFromInline @_transparent
    func blend(_ lower: Lanes, _ upper: Lanes, _ fraction: Lanes) -> Lanes { lower * (1 - fraction) + upper * fraction }

    /// Between two of `lines`, the first of which has number `first`.
    @usableFromInline @_transparent
    func blend(_ lines: UnsafeMutablePointer<Float>, _ first: Int, _ tap: BilinearTap) -> Lanes {
        blend(load(lines + 16 * (tap.lower - first)), load(lines + 16 * (tap.upper - first)), splat(tap.fraction))
    }

    /// No logit x at or below this has score * sigmoid(x) above the value whose reciprocal is given, rounding included.
    @usableFromInline @_transparent
    func leastLogit(_ score: Float, _ reciprocal: Lanes) -> Lanes {
        // The value is beaten where e^-x < score / value - 1. The bits of a float are 2^23 (its logarithm to base 2 + 127) less at most 0.0861.
        let odds = reciprocal * (score * 1.000004) - 1
        return 87.9685 - converted(unsafeBitCast(odds, to: Words.self)) * 8.262958e-08
    }
}
