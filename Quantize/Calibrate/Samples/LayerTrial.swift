import Kernels
import Runtime

/// A layer on rows of its input: what a way of bringing it to int8 costs.
struct LayerTrial {
    let layer: FloatArithmetic.Layer
    private let sample: RowSample
    private let pool: ThreadPool
    /// Results in float32, rows x columns.
    private let expected: [Float]
    private let power: Double

    init(_ layer: FloatArithmetic.Layer, _ sample: RowSample, pool: ThreadPool) {
        (self.layer, self.sample, self.pool) = (layer, sample, pool)
        let parameters = layer.parameters
        var expected = [Float](repeating: 0, count: sample.rows * parameters.columns)
        expected.withUnsafeMutableBufferPointer { expected in
            sample.withRows { rows in
                for row in 0..<rows.rows { (expected.baseAddress! + row * parameters.columns).update(from: parameters.bias, count: parameters.columns) }
                accumulateProduct(
                    rows.base, rows: rows.rows, depth: rows.columns, stride: rows.columns, parameters.weights, columns: parameters.columns,
                    wStride: rows.columns, into: expected.baseAddress!, yStride: parameters.columns)
            }
        }
        self.expected = expected
        power = max(expected.reduce(0.0) { $0 + Double($1) * Double($1) }, 1e-30)
    }

    func steps(_ input: QuantizationParameters) -> InputSteps {
        sample.withRows { InputSteps($0, channels: layer.input.channels, input, pool: pool) }
    }

    /// Power of the error over power of the results. - Parameter withMeans: whether each column's mean error counts, which a bias can take up.
    func noise(_ quantized: QuantizedLayer, _ steps: InputSteps, withMeans: Bool) -> Double {
        let columns = layer.parameters.columns
        let products = steps.product(quantized.weights, columns: columns)
        var sums = [Double](repeating: 0, count: columns)
        var squares = 0.0
        products.withUnsafeBufferPointer { products in
            expected.withUnsafeBufferPointer { expected in
                quantized.scales.withUnsafeBufferPointer { scales in
                    quantized.bias.withUnsafeBufferPointer { bias in
                        sums.withUnsafeMutableBufferPointer { sums in
                            for row in 0..<sample.rows {
                                for column in 0..<columns {
                                    let index = row * columns + column
                                    let error = Double(products[index] * scales[column] + bias[column] - expected[index])
                                    sums[column] += error
                                    squares += error * error
                                }
                            }
                        }
                    }
                }
            }
        }
        if !withMeans { squares -= sums.reduce(0) { $0 + $1 * $1 } / Double(max(sample.rows, 1)) }
        return max(squares, 0) / power
    }
}
