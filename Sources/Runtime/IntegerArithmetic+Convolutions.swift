import Kernels
import Network

extension IntegerArithmetic {
    public func stem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, _ layer: Linear, into map: Matrix) {
        guard case .int8 = layer.kind else { return floatStem(pixels, size: size, padded: padded, layer, into: map) }
        let width = padded.width / 4
        // A pixel less 128 is its int8 value; normalisation is part of the weights. The nearest value to "zero after
        // normalisation" stands for padding.
        let mean = PixelStatistics.mean
        let padding = (Int8(mean.0.rounded() - 128), Int8(mean.1.rounded() - 128), Int8(mean.2.rounded() - 128))
        blocks(padded.height / 4, of: 1) { range, scratch in
            let line = range.lowerBound
            let patches = scratch.take(Int8.self, count: width * 48)
            for row in 0..<4 {
                let y = line * 4 + row
                for x in 0..<padded.width {
                    let target = patches + x / 4 * 48 + (row * 4 + x % 4) * 3
                    if y < size.height, x < size.width {
                        let source = pixels + (y * size.width + x) * 3
                        for channel in 0..<3 { target[channel] = Int8(bitPattern: source[channel] ^ 0x80) }
                    } else {
                        (target[0], target[1], target[2]) = padding
                    }
                }
            }
            let input = Operand(base: UnsafeMutableRawPointer(patches), rows: width, columns: 48, point: layer.input)
            products(input, layer, rows: 0..<width, scratch: scratch) { row, values in values(map.row(line * width + row)) }
        }
    }

    private func floatStem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, _ layer: Linear, into map: Matrix) {
        let width = padded.width / 4
        blocks(padded.height / 4, of: 1) { range, scratch in
            let line = range.lowerBound
            let patches = Matrix(scratch.take(Float.self, count: width * 48), rows: width, columns: 48)
            for row in 0..<4 {
                let y = line * 4 + row
                for x in 0..<padded.width {
                    let target = patches.row(x / 4) + (row * 4 + x % 4) * 3
                    for channel in 0..<3 {
                        target[channel] = y < size.height && x < size.width
                            ? PixelStatistics.normalized(Float(pixels[(y * size.width + x) * 3 + channel]), channel: channel) : 0
                    }
                }
            }
            let input = Operand(base: UnsafeMutableRawPointer(patches.base), rows: width, columns: 48, point: layer.input)
            products(input, layer, rows: 0..<width, scratch: scratch) { row, values in values(map.row(line * width + row)) }
        }
    }

    public func depthwiseNorm(_ x: Operand, size: Size, _ layer: Depthwise, epsilon: Float, at point: Point) -> Operand {
        let result = newOperand(rows: x.rows, columns: x.columns, at: point)
        blocks(size.height, of: 1) { range, scratch in
            let line = range.lowerBound, channels = layer.channels
            let sums = scratch.take(Int32.self, count: size.width * channels)
            let y = scratch.take(Float.self, count: channels)
            kernels.depthwise7x7(x.bytes, size.height, size.width, channels, layer.weights, line, sums)
            for column in 0..<size.width {
                finish(accumulators: sums + column * channels, offset: layer.offset, scale: layer.scale, bias: layer.bias, count: channels, into: y)
                layerNorm(y, count: channels, epsilon: epsilon, weight: nil, bias: nil, into: y)
                place(y, row: line * size.width + column, in: result)
            }
        }
        return result
    }

    public func normReduce(_ x: Matrix, size: Size, epsilon: Float, at point: Point, _ layer: Linear, into map: Matrix) {
        let width = size.width / 2, channels = x.columns
        let pixelBytes = point.bytes(channels)
        blocks(size.height / 2, of: 1) { range, scratch in
            let line = range.lowerBound
            let patches = Operand(base: scratch.take(bytes: width * point.bytes(layer.depth)), rows: width, columns: layer.depth, point: point)
            let normed = scratch.take(Float.self, count: channels)
            for row in 0..<2 {
                for column in 0..<size.width {
                    layerNorm(x.row((line * 2 + row) * size.width + column), count: channels, epsilon: epsilon, weight: nil, bias: nil, into: normed)
                    let target = patches.base + column / 2 * patches.stride + (row * 2 + column % 2) * pixelBytes
                    place(normed, row: 0, in: Operand(base: target, rows: 1, columns: channels, point: point))
                }
            }
            products(patches, layer, rows: 0..<width, scratch: scratch) { row, values in values(map.row(line * width + row)) }
        }
    }

    public func convolution3x3(_ x: Operand, size: Size, _ layer: Linear, into map: Matrix) {
        let pixelBytes = x.stride
        let padding = UInt8(bitPattern: Int8(truncatingIfNeeded: x.point.quantization?.zeroPoint ?? 0))
        blocks(size.height, of: 1) { range, scratch in
            let line = range.lowerBound
            let patches = Operand(base: scratch.take(bytes: size.width * x.point.bytes(layer.depth)), rows: size.width, columns: layer.depth, point: x.point)
            for column in 0..<size.width {
                for tap in 0..<9 {
                    let target = patches.base + column * patches.stride + tap * pixelBytes
                    let sourceY = line + tap / 3 - 1, sourceX = column + tap % 3 - 1
                    if sourceY >= 0, sourceY < size.height, sourceX >= 0, sourceX < size.width {
                        target.copyMemory(from: x.base + (sourceY * size.width + sourceX) * x.stride, byteCount: pixelBytes)
                    } else {
                        target.initializeMemory(as: UInt8.self, repeating: padding, count: pixelBytes)
                    }
                }
            }
            products(patches, layer, rows: 0..<size.width, scratch: scratch) { row, values in values(map.row(line * size.width + row)) }
        }
    }
}
