import Imaging
import Kernels
import Network

extension IntegerArithmetic {
    public func stem(
        _ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, window: Window, _ layer: Linear, activation: Activation, into output: MapOutput
    ) {
        let width = padded.width / window.stride
        let lineValues = 3 * (padded.width + 2 * window.padding)
        blocks(padded.height / window.stride, of: 1) { range, scratch in
            let line = range.lowerBound
            let top = line * window.stride - window.padding
            let base = scratch.take(bytes: layer.input.bytes(window.size * lineValues))
            compute {
                for row in 0..<window.size {
                    let y = top + row
                    let source = pixels + min(max(y, 0), size.height - 1) * size.width * 3
                    let inside = y >= 0 && y < size.height ? size.width : 0
                    if layer.input.quantization != nil {
                        byteLine(source, inside, padding: window.padding, into: base.assumingMemoryBound(to: Int8.self) + row * lineValues, count: lineValues)
                    } else {
                        floatLine(source, inside, padding: window.padding, into: base.assumingMemoryBound(to: Float.self) + row * lineValues, count: lineValues)
                    }
                }
            }
            gemm(
                Rows(base: base, count: width, stride: 3 * window.stride, tapStride: lineValues), layer,
                lines: Lines(count: 1, width: width, period: width, first: line * output.period, outputPeriod: output.period), scratch: scratch,
                activation: activation, output: output.rows)
        }
    }

    /// The first `inside` pixels of a line minus 128, which are their int8 values (normalisation is folded into the weights), behind
    /// `padding` pixels of padding and before as many as fill `count` values. Padding is the value closest to zero after normalisation.
    private func byteLine(_ pixels: UnsafePointer<UInt8>, _ inside: Int, padding: Int, into line: UnsafeMutablePointer<Int8>, count: Int) {
        let mean = PixelStatistics.mean
        let outside = [Int8(mean.0.rounded() - 128), Int8(mean.1.rounded() - 128), Int8(mean.2.rounded() - 128)] as InlineArray<3, Int8>
        for index in 0..<3 * padding { line[index] = outside[index % 3] }
        let first = line + 3 * padding
        for index in 0..<3 * inside { first[index] = Int8(bitPattern: pixels[index] ^ 0x80) }
        for index in 3 * (padding + inside)..<count { line[index] = outside[index % 3] }
    }

    /// The same in float32: normalised, and zeros for padding.
    private func floatLine(_ pixels: UnsafePointer<UInt8>, _ inside: Int, padding: Int, into line: UnsafeMutablePointer<Float>, count: Int) {
        line.update(repeating: 0, count: count)
        let first = line + 3 * padding
        for index in 0..<3 * inside { first[index] = PixelStatistics.normalized(Float(pixels[index]), channel: index % 3) }
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

    public func convolution1x1(_ x: Operand, size: Size, _ layer: Linear, activation: Activation, into output: MapOutput) {
        unitBlocks(size.height, rows: size.width, of: layer) { lines, scratch in
            gemm(
                Rows(base: x.base + lines.lowerBound * size.width * x.stride, count: lines.count * size.width, stride: x.columns), layer,
                lines: Lines(
                    count: lines.count, width: size.width, period: size.width, first: lines.lowerBound * output.period, outputPeriod: output.period),
                scratch: scratch, activation: activation, output: output.rows)
        }
    }

    public func convolution3x3(_ x: Operand, size: Size, _ layer: Linear, activation: Activation, pooled: Bool, into output: MapOutput) {
        let period = size.width + 1
        // Three neighbouring pixels of a line are contiguous: the product reads those of three lines in place. Where it takes several lines, it
        // also makes a result for the border between two, which is left out.
        func convolve(_ lines: Range<Int>, _ scratch: Arena, first: Int, outputPeriod: Int, output: RowOutput) {
            gemm(
                Rows(
                    base: x.base + lines.lowerBound * period * x.stride, count: lines.count * period - 1, stride: x.columns, tapStride: period * x.columns),
                layer, lines: Lines(count: lines.count, width: size.width, period: period, first: first, outputPeriod: outputPeriod), scratch: scratch,
                activation: activation, output: output)
        }
        guard pooled else {
            return unitBlocks(size.height, rows: size.width, of: layer) { lines, scratch in
                convolve(lines, scratch, first: lines.lowerBound * output.period, outputPeriod: output.period, output: output.rows)
            }
        }
        unitBlocks(size.height / 2, rows: 2 * size.width, of: layer) { pairs, scratch in
            let whole = scratch.take(Float.self, count: 2 * pairs.count * size.width * layer.columns)
            convolve(
                2 * pairs.lowerBound..<2 * pairs.upperBound, scratch, first: 0, outputPeriod: size.width, output: .floats(whole, stride: layer.columns))
            for pair in pairs {
                let values = whole + 2 * (pair - pairs.lowerBound) * size.width * layer.columns
                kernels.perform(.averagePool(AveragePool(values, width: size.width, channels: layer.columns, output: output.line(pair).rows)))
            }
        }
    }
}
