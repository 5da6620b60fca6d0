/// How many floats of scratch memory `attention` needs for `keys` keys and heads of `headWidth` channels.
@inlinable
public func attentionScratch(keys: Int, headWidth: Int) -> Int {
    (keys + 15) / 16 * 16 * (headWidth + 1) + headWidth
}

/// softmax(Q K^T / sqrt(headWidth)) V for every head, over the query rows `range`. Float or int8 in, float out.
///
/// - Parameters:
///   - queries, keys, values: `[Q]`, `[T]` and `[T]` rows; head `h` has the columns `h * headWidth..<(h + 1) * headWidth`.
///   - blocked: `[Q][wordsPerRow]` words, or nil. Bit `t % 64` of word `t / 64` blocks key `t` for that query. A query with every key
///     blocked sees all of them (Cheng et al. 2022, Mask2Former).
///   - range: the query rows to compute; rows are independent of each other.
///   - scratch: `attentionScratch(keys:headWidth:)` floats, not shared between threads.
///   - out: `[Q][heads * headWidth]`; only the rows `range` are written.
@inlinable
public func attention<Queries: Rows, Keys: Rows, Values: Rows>(
    queries: Queries, keys: Keys, values: Values, heads: Int, headWidth: Int,
    blocked: UnsafePointer<UInt64>?, wordsPerRow: Int, range: Range<Int>,
    scratch: UnsafeMutablePointer<Float>, into out: Matrix
) {
    let count = keys.rows, padded = (count + 15) / 16 * 16
    let scores = scratch, transposed = scratch + padded, channels = transposed + padded * headWidth
    let scale = queries.scale * keys.scale / squareRoot(Float(headWidth))
    for head in 0..<heads {
        let first = head * headWidth
        // Keys as [channel][key]: sixteen scores then grow side by side, in channel order, without a horizontal sum.
        for key in 0..<padded {
            for channel in 0..<headWidth {
                transposed[channel * padded + key] = key < count ? keys.load(key, at: first + channel) : 0
            }
        }
        for query in range {
            var mask = blocked.map { $0 + query * wordsPerRow }
            if let words = mask, isFull(words, count: count) { mask = nil }
            for channel in 0..<headWidth { channels[channel] = queries.load(query, at: first + channel) }
            for key in stride(from: 0, to: padded, by: 16) {
                let bits = blockedBits(mask, key: key, count: count)
                var score = Lanes(repeating: -.infinity)
                if bits != 0xFFFF {
                    score = Lanes(repeating: 0)
                    for channel in 0..<headWidth {
                        score += load(transposed + (channel &* padded &+ key)) * channels[channel]
                    }
                    score *= scale
                    if bits != 0 {
                        for lane in 0..<16 where bits >> UInt64(lane) & 1 == 1 { score[lane] = -.infinity }
                    }
                }
                store(score, scores + key)
            }
            let total = exponentials(scores, count: padded)
            let factor = values.scale / total
            for start in stride(from: 0, to: headWidth, by: 32) {
                weightedSum(
                    values, scores, column: first + start, width: min(32, headWidth - start), factor: factor,
                    into: out.row(query) + first + start)
            }
        }
    }
}

/// y = factor * sum of the value rows, each times its weight; rows of weight zero are not read.
@inlinable @inline(__always)
func weightedSum<Values: Rows>(
    _ values: Values, _ weights: UnsafePointer<Float>, column: Int, width: Int, factor: Float, into y: UnsafeMutablePointer<Float>
) {
    let first = min(16, width), second = width - first
    var low = Lanes(repeating: 0), high = Lanes(repeating: 0)
    for key in 0..<values.rows {
        let weight = weights[key]
        guard weight > 0 else { continue }
        low += values.load(key, column, count: first) * weight
        if second > 0 { high += values.load(key, column + 16, count: second) * weight }
    }
    if first == 16 { store(low * factor, y) } else { store(low * factor, y, count: first) }
    if second == 16 { store(high * factor, y + 16) } else { store(high * factor, y + 16, count: second) }
}

/// The 16 mask bits from `key` (a multiple of 16) on; keys beyond `count` are blocked.
@inlinable @inline(__always)
func blockedBits(_ mask: UnsafePointer<UInt64>?, key: Int, count: Int) -> UInt64 {
    var bits: UInt64 = 0
    if let mask { bits = mask[key >> 6] >> UInt64(key & 63) & 0xFFFF }
    if key + 16 > count { bits |= 0xFFFF << UInt64(count - key) & 0xFFFF }
    return bits
}

/// Whether each of the first `count` bits is set.
@usableFromInline
func isFull(_ words: UnsafePointer<UInt64>, count: Int) -> Bool {
    for word in 0..<count / 64 where words[word] != .max { return false }
    let rest = count % 64
    guard rest > 0 else { return true }
    let wanted = (1 as UInt64) << UInt64(rest) - 1
    return words[count / 64] & wanted == wanted
}
