import CSIMD

/// The softmax of `IntegerAttention`: rows of scores to weights e^(score - largest score), in steps of 1/32639, each in two bytes
///
///     weight = 256 upper + lower      upper in 0...127, lower in -128...127
///
/// so that the product of weights and values is an int8 GEMM again.
public struct AttentionWeights {
    /// `[rows][stride]` sums; overwritten.
    public let scores: UnsafeMutablePointer<Int32>
    public let stride, rows: Int
    /// Each row of scores, offsets and weights is readable and writable up to the next multiple of 64.
    public let keys: Int
    /// Added to each key's score before the scale.
    public let offset: UnsafePointer<Int32>
    public let scale: Float
    /// The rows' words, as `IntegerAttention` has them.
    public let blocked: UnsafePointer<UInt64>?
    public let wordsPerRow: Int
    /// `[2 * rows][weightStride]`: upper bytes of all rows, then lower bytes.
    public let weights: UnsafeMutablePointer<Int8>
    public let weightStride: Int
    /// The sum of each row's weights.
    public let totals: UnsafeMutablePointer<Float>

    /// Below any score: they are sums of at most 2^15 products of bytes.
    @inlinable static var unseen: Int32 { -1 << 30 }

    @inlinable @inline(__always)
    func perform<Registers>(_ registers: Registers.Type) {
        for row in 0..<rows {
            var mask = blocked.map { $0 + row * wordsPerRow }
            if let words = mask, isFull(words, count: keys, registers) { mask = nil }
            let top = largestScore(row, mask, registers)
            totals[row] = weigh(row, mask, top: top, registers)
        }
    }

    /// Adds the offsets and lets blocked scores be `unseen`. - Returns: the largest.
    @inlinable @inline(__always)
    func largestScore<Registers>(_ row: Int, _ mask: UnsafePointer<UInt64>?, _: Registers.Type) -> Int32 {
        let scores = scores + row * stride
        var highest = simd_splat_words(Self.unseen)
        for key in Swift.stride(from: 0, to: keys, by: 64) {
            let bits = blockedBits(mask, key: key, of: keys)
            guard bits != .max else { continue }
            for start in Swift.stride(from: key, to: key + 64, by: 16) {
                var score = simd_add_words(load(scores + start, count: 16), load(offset + start, count: 16))
                if bits != 0 { score = simd_choose_words(lanes(bits >> UInt64(start - key)), simd_splat_words(Self.unseen), score) }
                store(score, scores + start)
                highest = simd_larger_words(score, highest)
            }
        }
        return simd_largest_word(highest)
    }

    /// - Returns: the sum of the row's weights.
    @inlinable @inline(__always)
    func weigh<Registers>(_ row: Int, _ mask: UnsafePointer<UInt64>?, top: Int32, _: Registers.Type) -> Float {
        let scores = scores + row * stride
        let upper = weights + row * weightStride
        let lower = upper + rows * weightStride
        let binary = scale * 1.44269504
        var total = simd_splat_words(0)
        for key in Swift.stride(from: 0, to: keys, by: 64) {
            let isBlocked = blockedBits(mask, key: key, of: keys) == .max
            for start in Swift.stride(from: key, to: key + 64, by: 16) {
                var weight = simd_splat_words(0)
                if !isBlocked {
                    // 2^x = 2^n 2^f with |f| <= 1/2; 32639 * 2^f by a polynomial within 3e-6 of it, n added to the exponent.
                    let below = converted(simd_subtract_words(load(scores + start, count: 16), simd_splat_words(top)))
                    let x = larger(below * binary, splat(-24))
                    let shifted = x + 12_582_912
                    let f = x - (shifted - 12_582_912)
                    var p = f * 312.35855 + 1825.1030
                    p = p * f + 7841.4365
                    p = p * f + 22622.803
                    p = p * f + 32638.976
                    let power = simd_add_words(unsafeBitCast(p, to: Words.self), simd_shift_left(unsafeBitCast(shifted, to: Words.self), 23))
                    let whole = unsafeBitCast(unsafeBitCast(power, to: Lanes.self) + 12_582_912, to: Words.self)
                    weight = simd_subtract_words(whole, simd_splat_words(0x4B40_0000))
                    total = simd_add_words(total, weight)
                }
                store(simd_words_to_bytes(simd_shift_right(simd_add_words(weight, simd_splat_words(128)), 8)), upper + start, count: 16)
                store(simd_words_to_bytes(weight), lower + start, count: 16)
            }
        }
        return sum(converted(total))
    }
}

/// The end of `IntegerAttention`: sums of values under both bytes of the weights to their means.
public struct AttentionMeans {
    /// `[parts][2 * rows][width]`, to be added up; upper bytes' rows first.
    public let sums: UnsafePointer<Int32>
    public let parts, rows, width: Int
    public let totals: UnsafePointer<Float>
    /// Scale and zero point of the values.
    public let scale: Float
    public let zeroPoint: Int32
    /// The address of the first row and column.
    public let row, column: Int
    public let output: RowOutput

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        for index in 0..<rows {
            let factor = 1 / totals[index]
            for start in stride(from: 0, to: width, by: 16) {
                let count = min(16, width - start)
                var upper = simd_splat_words(0)
                var lower = upper
                for part in 0..<parts {
                    let first = sums + ((part * 2 * rows + index) * width + start)
                    upper = simd_add_words(upper, load(first, count: count))
                    lower = simd_add_words(lower, load(first + rows * width, count: count))
                }
                let mean = (converted(upper) * 256 + converted(lower)) * factor - Float(zeroPoint)
                output.write(mean * scale, row: row + index, column: column + start, count: count)
            }
        }
    }
}
