import COpenBLAS
import Kernels
import Network

extension FloatArithmetic {
    public func attention(query: Matrix, key: Matrix, value: Matrix, heads: Int, blocked: BlockedKeys?, at point: QuantizationPoint) -> Matrix {
        // The points of queries and keys lie beside the result's: `<name>queries`, `<name>keys` and `<name>output.input`.
        let name = String(point.name.dropLast("output.input".count))
        observeProduct?(ProductRun(name: name, left: query, right: key, heads: heads, blocked: blocked, isAttention: true))
        let result = matrix(rows: query.rows, columns: value.columns)
        let mark = mark()
        let scores = matrix(rows: query.rows, columns: key.rows)
        let width = query.columns / heads
        for head in 0..<heads {
            let start = head * width
            accumulateProduct(
                query.base + start, rows: query.rows, depth: width, stride: query.columns, key.base + start, columns: key.rows,
                wStride: key.columns, scale: 1 / Float(width).squareRoot(), beta: 0, into: scores.base, yStride: scores.columns)
            parallel(scores.rows) { range in
                for row in range {
                    let values = scores.row(row)
                    if let words = blocked?.row(row) {
                        for key in 0..<scores.columns where words[key >> 6] >> UInt64(key & 63) & 1 == 1 { values[key] = -1e9 }
                    }
                    softmax(values, count: scores.columns)
                }
            }
            cblas_sgemm(
                CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(query.rows), blasint(width), blasint(key.rows), 1, scores.base,
                blasint(scores.columns), value.base + start, blasint(value.columns), 0, result.base + start, blasint(result.columns))
        }
        release(mark)
        return operand(result, at: point)
    }

    public func sampledAttention(
        value: Matrix, offsets: Matrix, weights: Matrix, levels: [Size], heads: Int, points: Int, at point: QuantizationPoint
    ) -> Matrix {
        let result = matrix(rows: offsets.rows, columns: value.columns)
        let samples = levels.count * points
        var start = 0
        let starts = levels.map { level in
            defer { start += level.area }
            return start
        }
        levels.withUnsafeBufferPointer { sizes in
            starts.withUnsafeBufferPointer { starts in
                let maps = Levels(sizes: sizes.baseAddress!, starts: starts.baseAddress!, count: levels.count)
                parallel(offsets.rows) { range in
                    for row in range {
                        for head in 0..<heads { softmax(weights.row(row) + head * samples, count: samples) }
                    }
                    withUnsafeTemporaryAllocation(of: Float.self, capacity: SampledAttention.scratchCount(samples: weights.columns)) { scratch in
                        KernelSet.best.perform(
                            .sampledAttention(
                                SampledAttention(
                                    .floats(value), levels: maps, heads: heads, points: points, offsets: offsets, weights: weights, rows: range,
                                    scratch: scratch.baseAddress!, into: result.rows(range))))
                    }
                }
            }
        }
        return operand(result, at: point)
    }

    public func maskedMean(_ bits: UnsafePointer<UInt64>, wordsPerRow: Int, features: Matrix, into result: Matrix) {
        parallel(result.rows) { range in
            for row in range {
                let mean = result.row(row)
                let count = maskedSum(
                    bits: bits + row * wordsPerRow, count: features.rows, features: features.base, stride: features.columns,
                    channels: result.columns, into: mean)
                for column in 0..<result.columns { mean[column] /= Float(count) + 1e-8 }
            }
        }
    }
}
