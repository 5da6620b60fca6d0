import Kernels
import Runtime

/// Every weight to the nearest multiple of its column's scale, which the column's largest weight decides.
public struct NearestRounding: WeightRounding {
    public init() {}

    public func round(_ weights: Matrix, input: InputSteps?, pool: ThreadPool) -> RoundedWeights {
        weights.rounded(scales: weights.largestScales(pool), pool)
    }
}

/// Every weight to the nearest multiple of its column's scale, the one of the least square error on the inputs, were these independent.
public struct MeanSquareRounding: WeightRounding {
    /// Fractions of the scale that the largest weight needs.
    private static let shares: [Float] = [1, 0.96, 0.92, 0.88, 0.84, 0.8, 0.75, 0.7, 0.65, 0.6]

    public init() {}

    public func round(_ weights: Matrix, input: InputSteps?, pool: ThreadPool) -> RoundedWeights {
        weights.rounded(scales: Self.scales(weights, input: input, pool: pool), pool)
    }

    static func scales(_ weights: Matrix, input: InputSteps?, pool: ThreadPool) -> [Float] {
        let squares = input?.meanSquares ?? [Float](repeating: 1, count: weights.columns)
        var scales = weights.largestScales(pool)
        scales.withUnsafeMutableBufferPointer { scales in
            squares.withUnsafeBufferPointer { squares in
                pool.ranges(weights.rows) { range in
                    for column in range {
                        let largest = scales[column]
                        var best = Float.infinity
                        for share in shares {
                            let scale = largest * share
                            let error = squareError(weights.row(column), squares: squares, scale: scale)
                            if error < best { (best, scales[column]) = (error, scale) }
                        }
                    }
                }
            }
        }
        return scales
    }

    private static func squareError(_ weights: UnsafePointer<Float>, squares: UnsafeBufferPointer<Float>, scale: Float) -> Float {
        var sum: Float = 0
        let inverse = 1 / scale
        for position in 0..<squares.count {
            let error = weights[position] - nearestLevel(weights[position] * inverse) * scale
            sum += error * error * squares[position]
        }
        return sum
    }
}

extension Matrix {
    /// For each row the scale at which its largest magnitude is 127.
    fileprivate func largestScales(_ pool: ThreadPool) -> [Float] {
        var scales = [Float](repeating: 1, count: rows)
        scales.withUnsafeMutableBufferPointer { scales in
            pool.ranges(rows) { range in
                for row in range {
                    var largest: Float = 0
                    for value in UnsafeBufferPointer(start: self.row(row), count: columns) { largest = max(largest, abs(value)) }
                    // A scale too small for floats would not have an inverse.
                    if largest > 1e-30 { scales[row] = largest / 127 }
                }
            }
        }
        return scales
    }

    /// Each row to the nearest multiples of its scale.
    fileprivate func rounded(scales: [Float], _ pool: ThreadPool) -> RoundedWeights {
        var result = RoundedWeights(columns: rows, depth: columns)
        result.scales = scales
        result.weights.withUnsafeMutableBufferPointer { weights in
            pool.ranges(rows) { range in
                for row in range {
                    let values = self.row(row)
                    for column in 0..<columns { weights[row * columns + column] = Int8(nearestLevel(values[column] / scales[row])) }
                }
            }
        }
        return result
    }
}
