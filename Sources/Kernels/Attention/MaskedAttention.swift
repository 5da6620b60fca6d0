/// One head of attention in which all queries have the same scores, but each attends only to the keys under a mask of its own:
///
///     output[q] = sum over p in mask q of e^scores[p] values[p] / sum over p in mask q of e^scores[p]
///
/// zeros for an empty mask (CLIP's attention pooling of many masks of one picture: FC-CLIP, section 3.3).
public struct MaskedAttention {
    /// A score for each key.
    public let scores: UnsafePointer<Float>
    public let keys: Int
    /// `[keys][valueStride]`, of which the first `width` belong to the head; `width` is a multiple of 64.
    public let values: UnsafePointer<Float>
    public let valueStride, width: Int
    /// Bit `p % 64` of word `p / 64` of row `q` is set where mask `q` holds key `p`; `wordsPerRow` words a row.
    public let bits: UnsafePointer<UInt64>
    public let wordsPerRow: Int
    public let queries: Range<Int>
    /// Room for `scratchCount(keys:width:)` values.
    public let scratch: UnsafeMutablePointer<Float>
    /// Receives the rows `queries`.
    public let output: RowOutput

    @inlinable
    public init(
        scores: UnsafePointer<Float>, keys: Int, values: UnsafePointer<Float>, valueStride: Int, width: Int, bits: UnsafePointer<UInt64>, wordsPerRow: Int,
        queries: Range<Int>, scratch: UnsafeMutablePointer<Float>, output: RowOutput
    ) {
        (self.scores, self.keys, self.values, self.valueStride, self.width) = (scores, keys, values, valueStride, width)
        (self.bits, self.wordsPerRow, self.queries, self.scratch, self.output) = (bits, wordsPerRow, queries, scratch, output)
    }

    public static func scratchCount(keys: Int, width: Int) -> Int { (keys + 15) / 16 * 16 + keys * width }

    /// A sum of weights below this may have lost digits of its own.
    @usableFromInline static var leastTotal: Float { 1e-25 }

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        let weights = scratch
        let weighted = scratch + (keys + 15) / 16 * 16
        // The weights and weighted values once for all masks.
        var largest = -Float.infinity
        for key in 0..<keys { largest = max(largest, scores[key]) }
        forEachGroup(keys) {
            store(exponential(load(scores + $0) - largest), weights + $0)
        } rest: {
            store(exponential(load(scores + $0, count: $1) - largest), weights + $0)
        }
        for key in 0..<keys {
            for channel in Swift.stride(from: 0, to: width, by: 16) {
                store(load(values + (key * valueStride + channel)) * weights[key], weighted + (key * width + channel))
            }
        }
        for query in queries {
            let mask = bits + query * wordsPerRow
            var total: Float = 0
            _ = forEachSetBit(mask, count: keys) { total += weights[$0] }
            let isExact = total >= Self.leastTotal
            var own = -Float.infinity
            if !isExact {
                // The mask's own largest score instead of the picture's.
                _ = forEachSetBit(mask, count: keys) { own = max(own, scores[$0]) }
                total = 0
                _ = forEachSetBit(mask, count: keys) { total += exponential(scores[$0] - own) }
            }
            let factor: Float = total > 0 ? 1 / total : 0
            for channel in Swift.stride(from: 0, to: width, by: 64) {
                var sums = FourLanes(splat(0), splat(0), splat(0), splat(0))
                if isExact {
                    _ = forEachSetBit(mask, count: keys) { sums = sums + loadFour(weighted + ($0 * width + channel)) }
                } else {
                    _ = forEachSetBit(mask, count: keys) {
                        sums = sums + loadFour(values + ($0 * valueStride + channel)) * exponential(scores[$0] - own)
                    }
                }
                (sums * factor).forEach(4) { output.write($0, row: query, column: channel + 16 * $1, count: 16) }
            }
        }
    }

    /// 64 values.
    @usableFromInline @_transparent
    func loadFour(_ pointer: UnsafePointer<Float>) -> FourLanes {
        FourLanes(load(pointer), load(pointer + 16), load(pointer + 32), load(pointer + 48))
    }
}
