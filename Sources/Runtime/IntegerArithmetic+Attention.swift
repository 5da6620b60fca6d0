import Kernels
import Network

extension IntegerArithmetic {
    /// Queries in one piece of attention, of one head. Its keys and values are packed once for all of them.
    private static var blockQueries: Int { 256 }

    public func attention(query: Operand, key: Operand, value: Operand, heads: Int, blocked: BlockedKeys?, at point: QuantizationPoint) -> Operand {
        let headWidth = query.columns / heads
        let pieces = (query.rows + Self.blockQueries - 1) / Self.blockQueries
        let words = blocked.map { UnsafePointer($0.words) }
        let wordsPerRow = blocked?.wordsPerRow ?? 0
        guard let queries = query.int8Rows, let keys = key.int8Rows, let values = value.int8Rows else {
            let result = matrix(rows: query.rows, columns: value.columns)
            blocks(query.rows, of: Self.blockQueries) { range, scratch in
                let floats = scratch.take(Float.self, count: attentionScratch(keys: key.rows, headWidth: headWidth))
                compute {
                    Kernels.attention(
                        queries: query.floats, keys: key.floats, values: value.floats, heads: heads, headWidth: headWidth, blocked: words,
                        wordsPerRow: wordsPerRow, range: range, scratch: floats, into: result)
                }
            }
            return operand(result, at: point)
        }
        let result = newOperand(rows: query.rows, columns: value.columns, at: point)
        blocks(heads * pieces, of: 1) { piece, scratch in
            let piece = piece.lowerBound
            let start = piece % pieces * Self.blockQueries
            let memory = scratch.take(bytes: IntegerAttention.scratch(keys: key.rows, headWidth: headWidth, layout: kernels.layout))
            compute {
                IntegerAttention(
                    queries: queries, keys: keys, values: values, head: piece / pieces, headWidth: headWidth, blocked: words, wordsPerRow: wordsPerRow
                ).perform(start..<min(start + Self.blockQueries, query.rows), with: kernels, scratch: memory, output: result.output)
            }
        }
        return result
    }
}

extension IntegerArithmetic.Operand {
    /// The rows as kernels read them, where they are int8 with one scale.
    var int8Rows: Int8Rows? {
        guard let quantization = point.quantization else { return nil }
        return Int8Rows(bytes, rows: rows, stride: stride, scale: quantization.scale, zeroPoint: quantization.zeroPoint)
    }
}
