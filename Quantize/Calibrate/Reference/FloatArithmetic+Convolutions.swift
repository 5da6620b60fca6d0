import Imaging
import Kernels

extension FloatArithmetic {
    public func stem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, _ layer: Layer, into map: Matrix) {
        let mark = mark()
        let patches = matrix(rows: map.rows, columns: 48)
        let width = padded.width / 4
        parallel(map.rows) { range in
            for patch in range {
                let top = patch / width * 4
                let left = patch % width * 4
                let values = patches.row(patch)
                for row in 0..<4 {
                    for column in 0..<4 {
                        for channel in 0..<3 {
                            let inside = top + row < size.height && left + column < size.width
                            let pixel = inside ? Float(pixels[((top + row) * size.width + left + column) * 3 + channel]) : 0
                            values[(row * 4 + column) * 3 + channel] = inside ? PixelStatistics.normalized(pixel, channel: channel) : 0
                        }
                    }
                }
            }
        }
        product(patches, layer, into: map)
        release(mark)
    }

    public func depthwiseNorm(_ x: Matrix, size: Size, _ layer: Layer, epsilon: Float, at point: QuantizationPoint) -> Matrix {
        let result = matrix(rows: x.rows, columns: x.columns)
        parallel(size.height) { range in
            for row in range {
                depthwise7x7(x, size: size, weights: layer.parameters.weights, bias: layer.parameters.bias, row: row, into: result.row(row * size.width))
            }
        }
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

    public func convolution3x3(_ x: Matrix, size: Size, _ layer: Layer, into map: Matrix) {
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
