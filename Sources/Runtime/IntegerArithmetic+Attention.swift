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
}

extension IntegerArithmetic.Operand {
    /// The rows as kernels read them, where they are int8 with one scale.
    var int8Rows: Int8Rows? {
        guard let quantization = point.quantization else { return nil }
        return Int8Rows(bytes, rows: rows, stride: stride, scale: quantization.scale, zeroPoint: quantization.zeroPoint)
    }
}
