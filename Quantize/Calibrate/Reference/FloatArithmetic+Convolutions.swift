import Imaging
import Kernels
import Network

extension FloatArithmetic {
    /// The map behind an output: all of this arithmetic's maps are dense.
    private func map(_ output: MapOutput, size: Size) -> Matrix {
        guard case .floats(let base, let columns) = output.rows, output.period == size.width else { preconditionFailure("a dense float32 map is expected") }
        return Matrix(base, rows: size.area, columns: columns)
    }

    public func stem(
        _ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, window: Window, _ layer: Layer, activation: Activation, into output: MapOutput
    ) {
        let mark = mark()
        let result = map(output, size: Size(height: padded.height / window.stride, width: padded.width / window.stride))
        let patches = matrix(rows: result.rows, columns: 3 * window.size * window.size)
        parallel(result.rows) { range in
            for patch in range {
                let top = patch / output.period * window.stride - window.padding
                let left = patch % output.period * window.stride - window.padding
                let values = patches.row(patch)
                for index in 0..<patches.columns {
                    let y = top + index / (3 * window.size)
                    let x = left + index / 3 % window.size
                    let isInside = y >= 0 && x >= 0 && y < size.height && x < size.width
                    values[index] = isInside ? PixelStatistics.normalized(Float(pixels[(y * size.width + x) * 3 + index % 3]), channel: index % 3) : 0
                }
            }
        }
        product(patches, layer, into: result)
        activate(result, activation)
        release(mark)
    }

    public func depthwiseNorm(_ x: Matrix, size: Size, _ layer: Layer, epsilon: Float, at point: QuantizationPoint) -> Matrix {
        let result = matrix(rows: x.rows, columns: x.columns)
        let mark = mark()
        let (input, parameters) = operands(x, layer)
        parallel(size.height) { range in
            for row in range {
                depthwise7x7(input, size: size, weights: parameters.weights, bias: parameters.bias, row: row, into: result.row(row * size.width))
            }
        }
        release(mark)
        parallel(result.rows) { range in
            for row in range {
                layerNorm(result.row(row), count: result.columns, epsilon: epsilon, weight: nil, bias: nil, into: result.row(row))
            }
        }
        audit?(LayerRun(layer: layer, input: x, result: result, size: size, epsilon: epsilon))
        return operand(result, at: point)
    }

    public func normReduce(_ x: Matrix, size: Size, epsilon: Float, at point: QuantizationPoint, _ layer: Layer, into map: Matrix) {
        let mark = mark()
        let normed = matrix(rows: x.rows, columns: x.columns)
        parallel(x.rows) { range in
            for row in range { layerNorm(x.row(row), count: x.columns, epsilon: epsilon, weight: nil, bias: nil, into: normed.row(row)) }
        }
        let input = operand(normed, at: point)
        let patches = matrix(rows: map.rows, columns: 4 * x.columns)
        let width = size.width / 2
        parallel(map.rows) { range in
            for patch in range {
                let top = patch / width * 2
                let left = patch % width * 2
                for row in 0..<2 {
                    (patches.row(patch) + row * 2 * x.columns).update(from: input.row((top + row) * size.width + left), count: 2 * x.columns)
                }
            }
        }
        product(patches, layer, into: map)
        release(mark)
    }

    public func convolution1x1(_ x: Matrix, size: Size, _ layer: Layer, activation: Activation, into output: MapOutput) {
        let result = map(output, size: size)
        product(x, layer, into: result)
        activate(result, activation)
    }

    public func convolution3x3(_ x: Matrix, size: Size, _ layer: Layer, activation: Activation, pooled: Bool, into output: MapOutput) {
        let mark = mark()
        let result = pooled ? matrix(rows: size.area, columns: layer.parameters.columns) : map(output, size: size)
        convolve3x3(x, size: size, layer, into: result)
        activate(result, activation)
        if pooled { averagePool(result, size: size, into: output) }
        release(mark)
    }

    private func convolve3x3(_ x: Matrix, size: Size, _ layer: Layer, into map: Matrix) {
        // A few lines at a time bound the patches' memory.
        let lines = max(1, 2048 / size.width)
        var top = 0
        while top < size.height {
            let rows = top..<min(top + lines, size.height)
            top = rows.upperBound
            let mark = mark()
            let patches = matrix(rows: rows.count * size.width, columns: 9 * x.columns)
            patches.base.update(repeating: 0, count: patches.count)
            for y in rows {
                for x0 in 0..<size.width {
                    let patch = patches.row((y - rows.lowerBound) * size.width + x0)
                    for tap in 0..<9 {
                        let sourceY = y + tap / 3 - 1
                        let sourceX = x0 + tap % 3 - 1
                        guard sourceY >= 0, sourceY < size.height, sourceX >= 0, sourceX < size.width else { continue }
                        (patch + tap * x.columns).update(from: x.row(sourceY * size.width + sourceX), count: x.columns)
                    }
                }
            }
            product(patches, layer, into: map.rows(rows.lowerBound * size.width..<rows.upperBound * size.width))
            release(mark)
        }
    }
}
