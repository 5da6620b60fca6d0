import Kernels
import ModelFormat
import System

/// ResNet's visual head: attention pooling (CLIP, arXiv 2103.00020, section 2.3.2), in which each mask attends to the pixels that it covers.
///
/// The query, the mean of all pixels, is the same for every mask, so a pixel's scores are computed once. They are products with
/// `Wk^T q`, one vector a head, instead of with keys: what a key's bias adds is the same for all pixels, and softmax takes it out again.
struct AttentionPooling<A: Arithmetic> {
    let arithmetic: A
    let grid: Size
    /// Embedding of the query, then of the positions of `grid`, row-major: 1 + grid.area rows.
    let positions: Matrix
    let queryInput, keyInput, valueInput, projectInput: A.QuantizationPoint
    /// `key` has the transposed weights.
    let query, key, value, project: A.Linear
    let projectBias: Matrix

    init(_ name: String, grid: Int, _ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        self.grid = Size(height: grid, width: grid)
        let channels = architecture.dims[3]
        positions = try arithmetic.parameter(name + "positions", rows: 1 + grid * grid, columns: channels)
        queryInput = try arithmetic.quantizationPoint(name + "query.input", channels: channels)
        keyInput = try arithmetic.quantizationPoint(name + "key.input", channels: channels)
        valueInput = try arithmetic.quantizationPoint(name + "value.input", channels: channels)
        projectInput = try arithmetic.quantizationPoint(name + "project.input", channels: channels)
        query = try arithmetic.linear(name + "query", columns: channels, depth: channels, input: queryInput)
        key = try arithmetic.linear(name + "key", columns: channels, depth: channels, input: keyInput)
        value = try arithmetic.linear(name + "value", columns: channels, depth: channels, input: valueInput)
        project = try arithmetic.linear(name + "project", columns: architecture.embedding, depth: channels, input: projectInput)
        projectBias = try arithmetic.parameter(name + "project_bias", rows: 1, columns: architecture.embedding)
    }

    /// As `VisualHead.embeddings`. An empty mask has zeros for pooled values.
    func embeddings(_ dense: Matrix, size: Size, inside: UnsafePointer<UInt64>, wordsPerRow: Int, into result: Matrix) {
        let channels = dense.columns
        let heads = channels / Architecture.poolHeadWidth
        let placed = self.placed(dense, size: size)
        let scores = arithmetic.matrix(rows: heads, columns: dense.rows)
        arithmetic.similarity(directions(dense, heads: heads), placed, into: scores)
        let values = arithmetic.matrix(rows: dense.rows, columns: channels)
        arithmetic.linear(arithmetic.operand(placed, at: valueInput), value, adding: nil, into: values)
        // Heads are shared out in bands, each of which has its own scratch memory.
        let bands = min(heads, 16)
        let scratchCount = MaskedAttention.scratchCount(keys: dense.rows, width: Architecture.poolHeadWidth)
        let scratch = arithmetic.scratch(Float.self, count: bands * scratchCount)
        let pooled = arithmetic.matrix(rows: result.rows, columns: channels)
        arithmetic.parallel(bands) { range in
            for band in range {
                for head in heads * band / bands..<heads * (band + 1) / bands {
                    let column = head * Architecture.poolHeadWidth
                    arithmetic.perform(
                        .maskedAttention(
                            MaskedAttention(
                                scores: scores.row(head), keys: dense.rows, values: values.base + column, valueStride: channels,
                                width: Architecture.poolHeadWidth, bits: inside, wordsPerRow: wordsPerRow, queries: 0..<result.rows,
                                scratch: scratch + band * scratchCount, output: .floats(pooled.base + column, stride: channels))))
                }
            }
        }
        projectRows(pooled, into: result)
    }

    /// `project` of `pooled` with a scale for each row: a mask of a few pixels has far larger values than one of many.
    private func projectRows(_ pooled: Matrix, into result: Matrix) {
        let scales = arithmetic.matrix(rows: pooled.rows, columns: 1)
        arithmetic.parallel(pooled.rows) { range in
            for row in range {
                scales[row, 0] = divideByLargest(pooled.row(row), count: pooled.columns)
            }
        }
        arithmetic.linear(arithmetic.operand(pooled, at: projectInput), project, adding: nil, into: result)
        arithmetic.parallel(result.rows) { range in
            for row in range {
                for column in 0..<result.columns { result[row, column] = result[row, column] * scales[row, 0] + projectBias[0, column] }
            }
        }
    }

    /// `dense` with the embeddings of its positions added, whose grid is resized to `size`.
    private func placed(_ dense: Matrix, size: Size) -> Matrix {
        let result = arithmetic.matrix(rows: dense.rows, columns: dense.columns)
        let places = positions.rows(1..<positions.rows)
        arithmetic.parallel(size.height) { lines in
            for line in lines {
                let row = line * size.width
                let own = result.row(row)
                arithmetic.perform(.resizedLine(ResizedLine(places, from: grid, to: size, line: line, into: own)))
                let values = dense.row(row)
                for index in 0..<size.width * dense.columns { own[index] += values[index] }
            }
        }
        return result
    }

    /// For each head (heads x channels) the vector whose products with pixels are their scores: `Wk^T q / sqrt(head width)`.
    private func directions(_ dense: Matrix, heads: Int) -> Matrix {
        let channels = dense.columns
        let mean = arithmetic.matrix(rows: 1, columns: channels)
        arithmetic.parallel(heads) { range in
            let own = range.lowerBound * Architecture.poolHeadWidth..<range.upperBound * Architecture.poolHeadWidth
            for channel in own { mean.base[channel] = 0 }
            for pixel in 0..<dense.rows {
                let values = dense.row(pixel)
                for channel in own { mean.base[channel] += values[channel] }
            }
            for channel in own { mean.base[channel] = mean.base[channel] / Float(dense.rows) + positions[0, channel] }
        }
        let query = arithmetic.matrix(rows: 1, columns: channels)
        arithmetic.linear(arithmetic.operand(mean, at: queryInput), self.query, adding: nil, into: query)
        // A row for each head, zero in the other heads' channels: one product with the transposed weights then serves all heads.
        let separate = arithmetic.matrix(rows: heads, columns: channels)
        arithmetic.compute {
            separate.base.update(repeating: 0, count: separate.count)
            let factor = 1 / Float(Architecture.poolHeadWidth).squareRoot()
            for channel in 0..<channels { separate[channel / Architecture.poolHeadWidth, channel] = query[0, channel] * factor }
        }
        let result = arithmetic.matrix(rows: heads, columns: channels)
        arithmetic.linear(arithmetic.operand(separate, at: keyInput), key, adding: nil, into: result)
        return result
    }
}
