import CSIMD

/// How many floats of scratch memory `attention` needs for `keys` keys and heads of `headWidth` channels.
public func attentionScratch(keys: Int, headWidth: Int) -> Int {
    (keys + 63) / 64 * 64 * (headWidth + 4) + headWidth
}

/// softmax(Q K^T / sqrt(headWidth)) V of all heads in float32: `IntegerAttention` for models that keep it there.
///
/// - Parameters:
///   - queries, keys, values: `[Q]`, `[T]` and `[T]` rows; head `h` has the columns `h * headWidth..<(h + 1) * headWidth`.
///   - blocked: `[Q][wordsPerRow]` words, or nil. Bit `t % 64` of word `t / 64` blocks key `t` for that query. A query with every key
///     blocked sees all of them (Cheng et al. 2022, Mask2Former).
///   - range: the query rows to compute; rows are independent of each other.
///   - scratch: `attentionScratch(keys:headWidth:)` floats, not shared between threads.
///   - out: `[Q][heads * headWidth]`; only the rows `range` are written.
public func attention(
    queries: Matrix, keys: Matrix, values: Matrix, heads: Int, headWidth: Int,
    blocked: UnsafePointer<UInt64>?, wordsPerRow: Int, range: Range<Int>,
    scratch: UnsafeMutablePointer<Float>, into out: Matrix
) {
    Attention(
        queries: queries, keys: keys, values: values, heads: heads, headWidth: headWidth, blocked: blocked, wordsPerRow: wordsPerRow,
        range: range, scratch: scratch, out: out
    ).perform()
}

private struct Attention {
    let queries: Matrix
    let keys: Matrix
    let values: Matrix
    let heads: Int
    let headWidth: Int
    let blocked: UnsafePointer<UInt64>?
    let wordsPerRow: Int
    let range: Range<Int>
    let scratch: UnsafeMutablePointer<Float>
    let out: Matrix

    /// Keys in groups of 64, a word of the mask each.
    var padded: Int { (keys.rows + 63) / 64 * 64 }
    /// `[4][padded]`, `[headWidth][padded]` and `[headWidth]` floats.
    var scores: UnsafeMutablePointer<Float> { scratch }
    var transposed: UnsafeMutablePointer<Float> { scratch + 4 * padded }
    var channels: UnsafeMutablePointer<Float> { transposed + padded * headWidth }

    func perform() {
        for head in 0..<heads {
            transposeKeys(head)
            for first in stride(from: range.lowerBound, to: range.upperBound, by: 4) {
                let count = min(4, range.upperBound - first)
                var factors = InlineArray<4, Float>(repeating: 0)
                for index in 0..<4 {
                    // Missing queries have weight zero.
                    if index < count {
                        factors[index] = weigh(first + index, head: head, into: scores + index * padded)
                    } else {
                        (scores + index * padded).update(repeating: 0, count: keys.rows)
                    }
                }
                for start in stride(from: 0, to: headWidth, by: 32) {
                    let width = min(32, headWidth - start)
                    if width == 32 {
                        sum(column: head * headWidth + start, width: 32, factors: factors, query: first, count: count)
                    } else {
                        sum(column: head * headWidth + start, width: width, factors: factors, query: first, count: count)
                    }
                }
            }
        }
    }

    /// Transposes the keys to [channel][key]: the scores of many keys then accumulate in lanes, in channel order, without a horizontal sum.
    func transposeKeys(_ head: Int) {
        for channel in 0..<headWidth { (transposed + (channel * padded + keys.rows)).update(repeating: 0, count: padded - keys.rows) }
        for first in stride(from: 0, to: keys.rows, by: 16) {
            // Sixteen keys at a time: their rows stay in the cache while all channels are written.
            for channel in 0..<headWidth {
                let target = transposed + channel &* padded
                for key in first..<min(first + 16, keys.rows) { target[key] = keys[key, head * headWidth + channel] }
            }
        }
    }

    /// Replaces `weights` by e^(score - largest score) of every key, zero where it is blocked. - Returns: the factor for the sum of the
    /// values.
    func weigh(_ query: Int, head: Int, into weights: UnsafeMutablePointer<Float>) -> Float {
        var mask = blocked.map { $0 + query * wordsPerRow }
        if let words = mask, isFull(words, count: keys.rows, Portable.self) { mask = nil }
        for channel in 0..<headWidth { channels[channel] = queries[query, head * headWidth + channel] }
        let scale = 1 / squareRoot(Float(headWidth))
        var highest = splat(-.infinity)
        for key in stride(from: 0, to: padded, by: 64) {
            let bits = blockedBits(mask, key: key, of: keys.rows)
            guard bits != .max else { continue }
            // Four times sixteen scores: their additions are independent of each other.
            var a = splat(0)
            var b = a
            var c = a
            var d = a
            for channel in 0..<headWidth {
                let column = transposed + (channel &* padded &+ key)
                let factor = channels[channel]
                a += load(column) * factor
                b += load(column + 16) * factor
                c += load(column + 32) * factor
                d += load(column + 48) * factor
            }
            for index in 0..<4 {
                let sixteen = index == 0 ? a : index == 1 ? b : index == 2 ? c : d
                let score = choose(splat(-.infinity), sixteen * scale, where: lanes(bits >> UInt64(index * 16)))
                store(score, weights + key + index * 16)
                highest = larger(score, highest)
            }
        }
        let top = splat(largest(highest))
        var total = splat(0)
        for key in stride(from: 0, to: padded, by: 16) {
            var value = splat(0)
            if blockedBits(mask, key: key & ~63, of: keys.rows) >> UInt64(key & 63) & 0xFFFF != 0xFFFF {
                value = exponential(load(weights + key) - top)
                total += value
            }
            store(value, weights + key)
        }
        return 1 / Kernels.sum(total)
    }

    /// Adds up the value rows, each times its weight, in key order; rows of weight zero are skipped.
    func sum(column: Int, width: Int, factors: InlineArray<4, Float>, query: Int, count: Int) {
        let first = min(16, width)
        let second = width - first
        var low = InlineArray<4, Lanes>(repeating: splat(0))
        var high = low
        for key in 0..<keys.rows {
            let weights: InlineArray<4, Float> = [scores[key], scores[padded &+ key], scores[2 &* padded &+ key], scores[3 &* padded &+ key]]
            guard weights[0].bitPattern | weights[1].bitPattern | weights[2].bitPattern | weights[3].bitPattern != 0 else { continue }
            let left = load(values.row(key) + column, count: first)
            let right = second > 0 ? load(values.row(key) + column + 16, count: second) : splat(0)
            for index in 0..<4 where weights[index] > 0 {
                low[index] += left * weights[index]
                high[index] += right * weights[index]
            }
        }
        for index in 0..<count {
            let y = out.row(query + index) + column
            store(low[index] * factors[index], y, count: first)
            if second > 0 { store(high[index] * factors[index], y + 16, count: second) }
        }
    }
}

/// The 64 mask bits from `key` (a multiple of 64) on; keys beyond the last, of `count`, are blocked.
@inlinable @inline(__always)
func blockedBits(_ mask: UnsafePointer<UInt64>?, key: Int, of count: Int) -> UInt64 {
    let bits = mask.map { $0[key >> 6] } ?? 0
    return key + 64 > count ? bits | (.max << UInt64(count - key)) : bits
}

/// Lane `i` is all ones where bit `i` is set.
@usableFromInline @_transparent
func lanes(_ bits: UInt64) -> Words {
    // The bit becomes the sign.
    let shifts = Words(31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16)
    return simd_shift_right(simd_shift_each(simd_splat_words(Int32(truncatingIfNeeded: bits)), shifts), 31)
}

/// Whether each of the first `count` bits is set.
@inlinable @inline(__always)
func isFull<Registers>(_ words: UnsafePointer<UInt64>, count: Int, _: Registers.Type) -> Bool {
    for word in 0..<count / 64 where words[word] != .max { return false }
    let rest = count % 64
    guard rest > 0 else { return true }
    let wanted = (1 as UInt64) << UInt64(rest) - 1
    return words[count / 64] & wanted == wanted
}
