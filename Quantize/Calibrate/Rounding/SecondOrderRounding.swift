import Kernels
import Runtime

/// Weights one after the other, from the last to the first, each to the nearest multiple of its column's scale; those that follow take up its
/// error as far as the inputs are correlated.
///
/// This is GPTQ (arXiv 2210.17323) in the closed form that needs no inverse: where R^T R is the inputs' covariance, the error of a column's
/// result is |R e|^2 for errors e of its weights, and row p of R e has only the errors of weights p and those behind it. So rounding weight p
/// plus R[p][s] e[s] / R[p][p], summed over s > p, makes the row as small as it can be.
public struct SecondOrderRounding: WeightRounding {
    /// Weights that are rounded between two products with the errors of those behind them.
    private static let block = 64

    public init() {}

    public func round(_ weights: Matrix, input: InputSteps?, pool: ThreadPool) -> RoundedWeights {
        guard let input, let factor = input.covarianceFactor() else { return MeanSquareRounding().round(weights, input: input, pool: pool) }
        let depth = weights.columns
        var result = RoundedWeights(columns: weights.rows, depth: depth)
        result.scales = MeanSquareRounding.scales(weights, input: input, pool: pool)
        // What a block's weights take up, one row for each column.
        var sums = [Float](repeating: 0, count: weights.rows * Self.block)
        sums.withUnsafeMutableBufferPointer { sums in
            factor.withUnsafeBufferPointer { factor in
                var end = depth
                while end > 0 {
                    let positions = max(end - Self.block, 0)..<end
                    sums.update(repeating: 0)
                    if end < depth {
                        accumulateProduct(
                            weights.base + end, rows: weights.rows, depth: depth - end, stride: depth,
                            factor.baseAddress! + positions.lowerBound * depth + end, columns: positions.count, wStride: depth, into: sums.baseAddress!,
                            yStride: Self.block)
                    }
                    round(positions, of: weights, sums: sums.baseAddress!, factor: factor.baseAddress!, into: &result, pool)
                    end = positions.lowerBound
                }
            }
        }
        return result
    }

    /// Rounds the weights of `positions` in every column. Errors take the place of the weights.
    private func round(
        _ positions: Range<Int>, of weights: Matrix, sums: UnsafePointer<Float>, factor: UnsafePointer<Float>, into result: inout RoundedWeights,
        _ pool: ThreadPool
    ) {
        let depth = weights.columns
        let scales = result.scales
        result.weights.withUnsafeMutableBufferPointer { rounded in
            pool.ranges(weights.rows) { range in
                for column in range {
                    let own = weights.row(column)
                    let scale = scales[column]
                    for position in positions.reversed() {
                        let row = factor + position * depth
                        let behind = position + 1
                        let sum =
                            sums[column * Self.block + position - positions.lowerBound]
                            + dotProduct(own + behind, row + behind, count: positions.upperBound - behind)
                        let level = nearestLevel((own[position] + sum / row[position]) / scale)
                        rounded[column * depth + position] = Int8(level)
                        own[position] -= level * scale
                    }
                }
            }
        }
    }
}
