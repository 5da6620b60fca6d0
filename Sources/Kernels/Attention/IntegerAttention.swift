/// softmax(Q K^T / sqrt(headWidth)) V of one head over int8 rows, as two int8 GEMMs with `AttentionWeights` between them.
///
/// Scores are exact; weights have 15 bits. Keys and values of -128 count as -127, because they are the packed weights of the GEMMs.
/// A group of keys that is blocked for all queries is skipped.
public struct IntegerAttention {
    public let queries: Int8Rows
    public let keys: Int8Rows
    public let values: Int8Rows
    public let head: Int
    public let headWidth: Int
    public let blocked: UnsafePointer<UInt64>?
    public let wordsPerRow: Int

    /// Queries whose scores fit into the second-level cache together.
    @inlinable static var group: Int { 8 }
    /// Keys whose values are packed together, and skipped together.
    @inlinable static var part: Int { 256 }

    /// - Parameters:
    ///   - queries, keys, values: `[Q]`, `[T]` and `[T]` rows, T at most 100,000; the head has the columns
    ///     `head * headWidth..<(head + 1) * headWidth`. Readable 16 bytes beyond the end.
    ///   - blocked: `[Q][wordsPerRow]` words, or nil. Bit `t % 64` of word `t / 64` blocks key `t` for that query. A query with every key
    ///     blocked sees all of them (Cheng et al. 2022, Mask2Former).
    public init(
        queries: Int8Rows, keys: Int8Rows, values: Int8Rows, head: Int, headWidth: Int, blocked: UnsafePointer<UInt64>?, wordsPerRow: Int
    ) {
        (self.queries, self.keys, self.values, self.head, self.headWidth) = (queries, keys, values, head, headWidth)
        (self.blocked, self.wordsPerRow) = (blocked, wordsPerRow)
    }

    /// Bytes of scratch memory that `perform` needs.
    public static func scratch(keys: Int, headWidth: Int, layout: PackedLayout) -> Int {
        let start = UnsafeMutableRawPointer(bitPattern: 64)!
        return Scratch(start, keys: keys, headWidth: headWidth, layout: layout).end - start
    }

    /// - Parameters:
    ///   - range: the query rows to compute; rows are independent of each other.
    ///   - scratch: aligned to 64 bytes, not shared between threads.
    ///   - output: the rows `range` of the head's columns are written.
    public func perform(_ range: Range<Int>, with kernels: KernelSet, scratch: UnsafeMutableRawPointer, output: RowOutput) {
        let scratch = Scratch(scratch, keys: keys.rows, headWidth: headWidth, layout: kernels.layout)
        let first = head * headWidth
        pack(scratch, layout: kernels.layout)
        let panels = 64 / kernels.columnsPerPanel * kernels.layout.panelBytes(depth: headWidth)
        let partBytes = kernels.layout.byteCount(columns: headWidth, depth: Self.part)
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.group) {
            let count = min(Self.group, range.upperBound - start)
            let words = blocked.map { $0 + start * wordsPerRow }
            findSeen(words, rows: count, into: scratch.seen)
            var word = 0
            while word < scratch.words {
                let from = word
                while word < scratch.words, scratch.seen[word] { word += 1 }
                if word > from {
                    kernels.perform(
                        Gemm(
                            queries.base + (start * queries.stride + first), rows: count, rowStride: queries.stride, depth: headWidth,
                            packed: scratch.keys + from * panels, columns: min(word * 64, keys.rows) - from * 64, into: scratch.scores + from * 64,
                            sumStride: scratch.scoreStride, scratch: scratch.staging))
                }
                word += 1
            }
            kernels.perform(
                .attentionWeights(
                    AttentionWeights(
                        scores: scratch.scores, stride: scratch.scoreStride, rows: count, keys: keys.rows, offset: scratch.offset,
                        scale: queries.scale * keys.scale / squareRoot(Float(headWidth)), blocked: words, wordsPerRow: wordsPerRow,
                        weights: scratch.weights, weightStride: scratch.weightStride, totals: scratch.totals)))
            var parts = 0
            for key in stride(from: 0, to: keys.rows, by: Self.part) where isSeen(scratch, from: key) {
                kernels.perform(
                    Gemm(
                        scratch.weights + key, rows: 2 * count, rowStride: scratch.weightStride, depth: min(Self.part, keys.rows - key),
                        packed: scratch.values + key / Self.part * partBytes, columns: headWidth,
                        into: scratch.sums + parts * 2 * count * headWidth, sumStride: headWidth, scratch: scratch.staging))
                parts += 1
            }
            kernels.perform(
                .attentionMeans(
                    AttentionMeans(
                        sums: scratch.sums, parts: parts, rows: count, width: headWidth, totals: scratch.totals, scale: values.scale,
                        zeroPoint: values.zeroPoint, row: start, column: first, output: output)))
        }
    }

    /// Packs the keys as columns of the first GEMM, and the values, for some keys at a time, as columns of the second.
    private func pack(_ scratch: Scratch, layout: PackedLayout) {
        let keyBase = keys.base + head * headWidth
        let valueBase = values.base + head * headWidth
        packWeights(keyBase, columns: keys.rows, depth: headWidth, columnStride: keys.stride, layout: layout, into: scratch.keys)
        for key in 0..<keys.rows {
            // (q - z) k is q k less z k; the keys' own zero point adds the same to all scores of a query, which changes no weight.
            var sum: Int32 = 0
            for column in 0..<headWidth { sum &+= Int32(max(keyBase[key &* keys.stride &+ column], -127)) }
            scratch.offset[key] = 0 &- queries.zeroPoint &* sum
        }
        let bytes = layout.byteCount(columns: headWidth, depth: Self.part)
        for key in stride(from: 0, to: keys.rows, by: Self.part) {
            packWeights(
                valueBase + key * values.stride, columns: headWidth, depth: min(Self.part, keys.rows - key), columnStride: 1,
                depthStride: values.stride, layout: layout, into: scratch.values + key / Self.part * bytes)
        }
    }

    /// Whether any of the rows sees each group of 64 keys.
    private func findSeen(_ blocked: UnsafePointer<UInt64>?, rows: Int, into seen: UnsafeMutablePointer<Bool>) {
        let words = (keys.rows + 63) / 64
        seen.update(repeating: blocked == nil, count: words)
        guard let blocked else { return }
        for row in 0..<rows {
            let mask = blocked + row * wordsPerRow
            let seesAll = isFull(mask, count: keys.rows, Portable.self)
            for word in 0..<words where seesAll || blockedBits(mask, key: word * 64, of: keys.rows) != .max { seen[word] = true }
        }
    }

    private func isSeen(_ scratch: Scratch, from key: Int) -> Bool {
        for word in key / 64..<min((key + Self.part) / 64, scratch.words) where scratch.seen[word] { return true }
        return false
    }

    /// The division of the scratch memory.
    private struct Scratch {
        let words, scoreStride, weightStride: Int
        let keys, values, weights, staging: UnsafeMutablePointer<Int8>
        let offset, scores, sums: UnsafeMutablePointer<Int32>
        let totals: UnsafeMutablePointer<Float>
        let seen: UnsafeMutablePointer<Bool>
        let end: UnsafeMutableRawPointer

        init(_ start: UnsafeMutableRawPointer, keys count: Int, headWidth: Int, layout: PackedLayout) {
            words = (count + 63) / 64
            // A line more than whole pages, so that rows do not fall into the same lines of the cache.
            (scoreStride, weightStride) = (words * 64 + 16, words * 64 + 64)
            let parts = (count + IntegerAttention.part - 1) / IntegerAttention.part
            let rows = 2 * IntegerAttention.group
            var next = start
            func take<Value>(_: Value.Type, _ count: Int) -> UnsafeMutablePointer<Value> {
                defer { next += (count * MemoryLayout<Value>.stride + 63) / 64 * 64 }
                return next.assumingMemoryBound(to: Value.self)
            }
            keys = take(Int8.self, layout.byteCount(columns: count, depth: headWidth))
            values = take(Int8.self, parts * layout.byteCount(columns: headWidth, depth: IntegerAttention.part))
            weights = take(Int8.self, rows * weightStride)
            offset = take(Int32.self, words * 64)
            scores = take(Int32.self, IntegerAttention.group * scoreStride)
            sums = take(Int32.self, parts * rows * headWidth)
            totals = take(Float.self, IntegerAttention.group)
            seen = take(Bool.self, words)
            staging = take(
                Int8.self,
                max(
                    Gemm.scratchCount(rows: IntegerAttention.group, depth: headWidth),
                    Gemm.scratchCount(rows: rows, depth: IntegerAttention.part)))
            end = next
        }
    }
}
