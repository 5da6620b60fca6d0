import Kernels
import Network

extension IntegerArithmetic {
    /// Queries that one piece of attention covers, of one head: transposing the keys is shared by them.
    private static var blockQueries: Int { 128 }

    public func attention(query: Operand, key: Operand, value: Operand, heads: Int, blocked: BlockedKeys?, at point: Point) -> Operand {
        let result = matrix(rows: query.rows, columns: value.columns)
        let headWidth = query.columns / heads
        let pieces = (query.rows + Self.blockQueries - 1) / Self.blockQueries
        blocks(heads * pieces, of: 1) { piece, scratch in
            let head = piece.lowerBound / pieces, start = piece.lowerBound % pieces * Self.blockQueries
            let own = head..<head + 1, range = start..<min(start + Self.blockQueries, query.rows)
            let floats = scratch.take(Float.self, count: attentionScratch(keys: key.rows, headWidth: headWidth))
            let words = blocked.map { UnsafePointer($0.words) }, wordsPerRow = blocked?.wordsPerRow ?? 0
            if let queries = query.int8Rows, let keys = key.int8Rows, let values = value.int8Rows {
                kernels.perform(.attention(Attention(
                    queries: queries, keys: keys, values: values, heads: own, headWidth: headWidth, blocked: words,
                    wordsPerRow: wordsPerRow, range: range, scratch: floats, into: result)))
            } else {
                Attention(
                    queries: FloatRows(query.floats), keys: FloatRows(key.floats), values: FloatRows(value.floats), heads: own,
                    headWidth: headWidth, blocked: words, wordsPerRow: wordsPerRow, range: range, scratch: floats, into: result
                ).perform(Portable.self)
            }
        }
        return operand(result, at: point)
    }

    public func sampledAttention(value: Operand, offsets: Matrix, weights: Matrix, levels: [Size], heads: Int, points: Int, at point: Point) -> Operand {
        let result = matrix(rows: offsets.rows, columns: value.columns)
        let sizes = arena.take(Size.self, count: levels.count), starts = arena.take(Int.self, count: levels.count)
        var start = 0
        for (index, size) in levels.enumerated() {
            sizes[index] = size
            starts[index] = start
            start += size.area
        }
        let maps = Levels(sizes: sizes, starts: starts, count: levels.count)
        let share = levels.count * points
        parallel(offsets.rows) { range in
            kernels.perform(.softmax(weights.row(range.lowerBound), count: range.count * heads, width: share))
            if let values = value.int8Rows {
                kernels.perform(.sampledAttention(SampledAttention(
                    values, levels: maps, heads: heads, points: points, offsets: offsets, weights: weights, rows: range, into: result)))
            } else {
                Kernels.sampledAttention(
                    FloatRows(value.floats), levels: maps, heads: heads, points: points, offsets: offsets, weights: weights, rows: range, into: result)
            }
        }
        return operand(result, at: point)
    }
}

extension IntegerArithmetic.Operand {
    /// The rows as kernels read them, where they are int8 with one scale.
    var int8Rows: Int8Rows? {
        guard let quantization = point.quantization else { return nil }
        return Int8Rows(bytes, rows: rows, stride: stride, scale: quantization.scale, zeroPoint: quantization.zeroPoint)
    }
}
