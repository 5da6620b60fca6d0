import COpenBLAS
import Kernels
import Runtime

/// Rows of a layer's input in int8 steps, zero point subtracted: what int8 weights are multiplied with.
public final class InputSteps {
    let rows, depth: Int
    private var steps: [Float]
    private let scales: [Float]

    /// - Parameters:
    ///   - values: rows x depth, channels fastest.
    ///   - channels: of the input; the depth is a multiple of it.
    init(_ values: Matrix, channels: Int, _ parameters: QuantizationParameters, pool: ThreadPool) {
        rows = values.rows
        depth = values.columns
        let scales = (0..<values.columns).map { parameters.scale($0 % channels) }
        let multipliers = scales.map { 1 / $0 }
        let zeroPoint = Float(parameters.zeroPoint)
        var steps = [Float](repeating: 0, count: values.count)
        steps.withUnsafeMutableBufferPointer { steps in
            multipliers.withUnsafeBufferPointer { multipliers in
                pool.ranges(values.rows) { range in
                    for row in range {
                        let x = values.row(row)
                        let y = steps.baseAddress! + row * values.columns
                        for column in 0..<values.columns {
                            y[column] = min(max((x[column] * multipliers[column] + zeroPoint).rounded(.toNearestOrEven), -128), 127) - zeroPoint
                        }
                    }
                }
            }
        }
        self.steps = steps
        self.scales = scales
    }

    /// Of each position, the mean of what the steps stand for minus `values`, which they were made of.
    func meanErrors(_ values: Matrix) -> [Double] {
        var errors = [Double](repeating: 0, count: depth)
        steps.withUnsafeBufferPointer { steps in
            errors.withUnsafeMutableBufferPointer { errors in
                for row in 0..<rows {
                    let x = values.row(row)
                    for position in 0..<depth { errors[position] += Double(steps[row * depth + position] * scales[position] - x[position]) }
                }
            }
        }
        return errors.map { $0 / Double(max(rows, 1)) }
    }

    /// Mean square of each position.
    var meanSquares: [Float] {
        var squares = [Float](repeating: 1e-12, count: depth)
        steps.withUnsafeBufferPointer { steps in
            squares.withUnsafeMutableBufferPointer { squares in
                for row in 0..<rows {
                    for position in 0..<depth { squares[position] += steps[row * depth + position] * steps[row * depth + position] }
                }
            }
        }
        return squares
    }

    /// Products with int8 weights, rows x columns, in units of the steps and the weights.
    func product(_ weights: [Int8], columns: Int) -> [Float] {
        let floats = weights.map(Float.init)
        var result = [Float](repeating: 0, count: rows * columns)
        steps.withUnsafeMutableBufferPointer { steps in
            floats.withUnsafeBufferPointer { floats in
                result.withUnsafeMutableBufferPointer { result in
                    accumulateProduct(
                        steps.baseAddress!, rows: rows, depth: depth, stride: depth, floats.baseAddress!, columns: columns, wStride: depth, beta: 0,
                        into: result.baseAddress!, yStride: columns)
                }
            }
        }
        return result
    }

    /// R, depth x depth, row-major, of which the upper triangle counts: R^T R is the rows' covariance. Nil where there are too few rows.
    ///
    /// The mean is left out: a bias takes up what weights do to it. The diagonal is raised, more where there are fewer rows than positions.
    func covarianceFactor() -> [Float]? {
        guard rows > 1 else { return nil }
        var centered = steps
        var means = [Float](repeating: 0, count: depth)
        centered.withUnsafeMutableBufferPointer { centered in
            means.withUnsafeMutableBufferPointer { means in
                for row in 0..<rows {
                    for position in 0..<depth { means[position] += centered[row * depth + position] / Float(rows) }
                }
                for row in 0..<rows {
                    for position in 0..<depth { centered[row * depth + position] -= means[position] }
                }
            }
        }
        var factor = [Float](repeating: 0, count: depth * depth)
        let isPositive = factor.withUnsafeMutableBufferPointer { factor in
            centered.withUnsafeBufferPointer { centered in
                cblas_ssyrk(
                    CblasRowMajor, CblasUpper, CblasTrans, blasint(depth), blasint(rows), 1 / Float(rows), centered.baseAddress!, blasint(depth), 0,
                    factor.baseAddress!, blasint(depth))
            }
            let trace = (0..<depth).reduce(0.0) { $0 + Double(factor[$1 * depth + $1]) }
            let raise = Float(max(trace / Double(depth) * max(0.01, 0.05 * Double(depth) / Double(rows)), 1e-6))
            for position in 0..<depth { factor[position * depth + position] += raise }
            var order = Int32(depth)
            var info: Int32 = 0
            // LAPACK reads columns: our upper triangle is its lower one.
            spotrf_("L", &order, factor.baseAddress!, &order, &info)
            return info == 0
        }
        return isPositive ? factor : nil
    }
}
