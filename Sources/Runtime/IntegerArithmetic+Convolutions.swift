import Imaging
import Kernels

extension IntegerArithmetic {
    public func stem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, _ layer: Linear, into map: Matrix) {
        guard case .int8 = layer.kind else { return floatStem(pixels, size: size, padded: padded, layer, into: map) }
        let width = padded.width / 4
        // A pixel minus 128 is its int8 value; normalisation is folded into the weights. Padding is the value closest
        // to zero after normalisation.
        let mean = PixelStatistics.mean
        let padding = (Int8(mean.0.rounded() - 128), Int8(mean.1.rounded() - 128), Int8(mean.2.rounded() - 128))
        blocks(padded.height / 4, of: 1) { range, scratch in
            let line = range.lowerBound
            let patches = scratch.take(Int8.self, count: width * 48)
            compute {
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
            }
            let input = Operand(base: UnsafeMutableRawPointer(patches), rows: width, columns: 48, point: layer.input)
            gemm(input, layer, rows: 0..<width, scratch: scratch, output: .floats(map.row(line * width), stride: map.columns))
        }
    }

    private func floatStem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, _ layer: Linear, into map: Matrix) {
        let width = padded.width / 4
        blocks(padded.height / 4, of: 1) { range, scratch in
            let line = range.lowerBound
            let patches = Matrix(scratch.take(Float.self, count: width * 48), rows: width, columns: 48)
            compute {
                for row in 0..<4 {
                    let y = line * 4 + row
                    for x in 0..<padded.width {
                        let target = patches.row(x / 4) + (row * 4 + x % 4) * 3
                        for channel in 0..<3 {
                            target[channel] =
                                y < size.height && x < size.width
                                ? PixelStatistics.normalized(Float(pixels[(y * size.width + x) * 3 + channel]), channel: channel) : 0
                        }
                    }
                }
            }
            let input = Operand(base: UnsafeMutableRawPointer(patches.base), rows: width, columns: 48, point: layer.input)
            gemm(input, layer, rows: 0..<width, scratch: scratch, output: .floats(map.row(line * width), stride: map.columns))
        }
    }

    public func depthwiseNorm(_ x: Operand, size: Size, _ layer: Depthwise, epsilon: Float, at point: QuantizationPoint) -> Operand {
        let result = newOperand(rows: x.rows, columns: x.columns, at: point)
        blocks(size.height, of: 1) { range, scratch in
            let line = range.lowerBound
            let channels = layer.channels
            let sums = scratch.take(Int32.self, count: size.width * channels)
            let values = scratch.take(Float.self, count: size.width * channels)
            kernels.perform(Depthwise7x7(x.bytes, height: size.height, width: size.width, channels: channels, weights: layer.weights, row: line, into: sums))
            kernels.perform(
                .epilogue(
                    Epilogue(
                        values: .sums(sums, offset: layer.offset, scale: layer.scale), valuesStride: channels, rows: 0..<size.width,
                        columns: 0..<channels, bias: layer.bias, output: .floats(values, stride: channels))))
            let pixels = rows(line * size.width..<(line + 1) * size.width, of: result)
            kernels.perform(.layerNorm(LayerNorm(values, rows: 0..<size.width, columns: channels, epsilon: epsilon, output: pixels.output)))
        }
        return result
    }

    public func normReduce(_ x: Matrix, size: Size, epsilon: Float, at point: QuantizationPoint, _ layer: Linear, into map: Matrix) {
        let width = size.width / 2
        let channels = x.columns
        let pixelBytes = point.bytes(channels)
        blocks(size.height / 2, of: 1) { range, scratch in
            let line = range.lowerBound
            let patches = Operand(base: scratch.take(bytes: width * point.bytes(layer.depth)), rows: width, columns: layer.depth, point: point)
            for row in 0..<2 {
                for column in 0..<size.width {
                    let target = Operand(
                        base: patches.base + column / 2 * patches.stride + (row * 2 + column % 2) * pixelBytes, rows: 1, columns: channels, point: point)
                    kernels.perform(
                        .layerNorm(
                            LayerNorm(
                                x.row((line * 2 + row) * size.width + column), rows: 0..<1, columns: channels, epsilon: epsilon, output: target.output)))
                }
            }
            gemm(patches, layer, rows: 0..<width, scratch: scratch, output: .floats(map.row(line * width), stride: map.columns))
        }
    }

    public func convolution3x3(_ x: Operand, size: Size, _ layer: Linear, into map: Matrix) {
        let width = size.width
        let period = width + 2
        blocks(size.height, of: 1) { range, scratch in
            let line = range.lowerBound
            // Three neighbouring pixels of a line are contiguous: the GEMM reads those of three lines in place.
            gemm(
                rows(line * period..<(line + 3) * period, of: x), layer, rows: 0..<width, taps: 3, tapRows: period, scratch: scratch,
                output: .floats(map.row(line * width), stride: map.columns))
        }
    }
}
