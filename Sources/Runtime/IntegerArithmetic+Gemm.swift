import CSystem
import Kernels
import Network

extension IntegerArithmetic {
    public var keepsConstants: Bool { true }

    public func operand(_ values: Matrix, at point: QuantizationPoint) -> Operand {
        guard point.quantization != nil else {
            return Operand(base: values.base, rows: values.rows, columns: values.columns, point: point)
        }
        let result = newOperand(rows: values.rows, columns: values.columns, at: point)
        parallel(values.rows) { range in kernels.perform(.quantize(values, rows: range, output: result.output)) }
        return result
    }

    public func operand(size: Size, columns: Int, at point: QuantizationPoint, bordered: Bool, _ write: (_ output: RowOutput, _ period: Int) -> Void) -> Operand
    {
        guard bordered else {
            let result = newOperand(rows: size.area, columns: columns, at: point)
            write(result.output, size.width)
            return result
        }
        let period = size.width + 2
        let last = (size.height + 1) * period
        let result = newOperand(rows: last + period, columns: columns, at: point)
        let zero = UInt8(bitPattern: Int8(truncatingIfNeeded: point.quantization?.zeroPoint ?? 0))
        func clear(_ pixels: Range<Int>) {
            (result.base + pixels.lowerBound * result.stride).initializeMemory(as: UInt8.self, repeating: zero, count: pixels.count * result.stride)
        }
        compute {
            clear(0..<period + 1)
            // A line's right border and the next one's left border.
            for line in 1..<size.height { clear((line + 1) * period - 1..<(line + 1) * period + 1) }
            clear(last - 1..<last + period)
        }
        write(result.output.advanced(by: period + 1), period)
        return result
    }

    /// The same values in rows of `columns`: a convolution's patches, quantized pixel by pixel.
    public func regrouped(_ operand: Operand, columns: Int) -> Operand {
        Operand(base: operand.base, rows: operand.rows * operand.columns / columns, columns: columns, point: operand.point)
    }

    /// Values given as int8.
    public func operand(_ values: [Int8], rows: Int, at point: QuantizationPoint) -> Operand {
        let bytes = arena.take(Int8.self, count: values.count)
        bytes.update(from: values, count: values.count)
        return Operand(base: UnsafeMutableRawPointer(bytes), rows: rows, columns: values.count / max(rows, 1), point: point)
    }

    public func rows(_ range: Range<Int>, of operand: Operand) -> Operand {
        Operand(
            base: operand.base + range.lowerBound * operand.stride, rows: range.count, columns: operand.columns, point: operand.point)
    }

    public func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, into result: Matrix) {
        rowBlocks(x.rows, of: layer) { range, scratch in
            gemm(x, layer, rows: range, scratch: scratch, adding: table, output: .floats(result.base, stride: result.columns))
        }
    }

    public func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, activation: Activation, at point: QuantizationPoint) -> Operand {
        let result = newOperand(rows: x.rows, columns: layer.columns, at: point)
        rowBlocks(x.rows, of: layer) { range, scratch in
            gemm(x, layer, rows: range, scratch: scratch, adding: table, activation: activation, output: result.output)
        }
        return result
    }

    public func linear(_ x: Operand, _ layer: Linear, addingTo stream: Matrix) {
        rowBlocks(x.rows, of: layer) { range, scratch in
            gemm(x, layer, rows: range, scratch: scratch, output: .added(stream.base, stride: stream.columns))
        }
    }

    public func feedForward(_ x: Operand, expand: Linear, activation: Activation, at hidden: QuantizationPoint, project: Linear, addingTo stream: Matrix) {
        rowBlocks(x.rows) { range, scratch in
            let count = range.count
            let own = rows(range, of: x)
            let values = Operand(base: scratch.take(bytes: count * hidden.bytes(expand.columns)), rows: count, columns: expand.columns, point: hidden)
            gemm(own, expand, rows: 0..<count, scratch: scratch, activation: activation, output: values.output)
            gemm(values, project, rows: 0..<count, scratch: scratch, output: .added(stream.row(range.lowerBound), stride: stream.columns))
        }
    }

    public func table(_ x: Matrix, _ layer: Linear, into result: Matrix) {
        let mark = mark()
        let weights = matrix(rows: 1, columns: layer.depth)
        compute {
            for column in 0..<result.columns {
                switch layer.kind {
                case .float32(let stored): weights.base.update(from: stored + column * layer.depth, count: layer.depth)
                case .int8(let packed, _, let scale, let input):
                    for position in 0..<layer.depth {
                        let weight = packed[kernels.layout.offset(column: column, position: position, depth: layer.depth)]
                        weights.base[position] = Float(weight) * scale[column] / input.scales[position]
                    }
                }
                for row in 0..<x.rows { result[row, column] = dotProduct(x.row(row), weights.base, count: layer.depth) }
            }
        }
        release(mark)
    }

    public func similarity(_ x: Matrix, _ rows: Matrix, into result: Matrix) {
        rowBlocks(x.rows) { range, _ in
            kernels.perform(.dotProducts(DotProducts(x.rows(range), rows.base, columns: rows.rows, into: result.row(range.lowerBound))))
        }
    }

    public func masks(_ embeddings: Operand, features: Operand, into result: Matrix) {
        guard let left = embeddings.point.quantization, let right = features.point.quantization else {
            return similarity(embeddings.floats, features.floats, into: result)
        }
        let mark = mark()
        // The embeddings, few, take the part of the weights; the pixels, many, are read in place.
        let queries = embeddings.rows
        let depth = embeddings.columns
        let stride = (queries + 15) / 16 * 16
        let offset = arena.take(Int32.self, count: queries)
        let packed = arena.take(Int8.self, count: kernels.layout.byteCount(columns: queries, depth: depth))
        pack(embeddings.bytes, columns: queries, depth: depth, columnStride: embeddings.stride, zeroPoint: right.zeroPoint, into: packed, offset: offset)
        blocks(features.rows, of: 64) { range, scratch in
            let sums = scratch.take(Int32.self, count: 64 * stride)
            kernels.perform(
                Gemm(
                    features.bytes + range.lowerBound * features.stride, rows: range.count, rowStride: features.stride, depth: depth, packed: packed,
                    columns: queries, into: sums, sumStride: stride))
            kernels.perform(
                .transposedSums(
                    TransposedSums(
                        sums, stride: stride, rows: range.count, columns: queries, offset: offset, scale: left.scale * right.scale,
                        into: result.base + range.lowerBound, stride: result.columns)))
        }
        release(mark)
    }

    public func maskedMean(_ bits: UnsafePointer<UInt64>, wordsPerRow: Int, features: Operand, into result: Matrix) {
        blocks(result.rows, of: 1) { range, scratch in
            let row = range.lowerBound
            let mean = result.row(row)
            let bits = bits + row * wordsPerRow
            guard let quantization = features.point.quantization else {
                compute {
                    let count = maskedSum(
                        bits: bits, count: features.rows, features: features.floats.base, stride: features.columns, channels: result.columns, into: mean)
                    for column in 0..<result.columns { mean[column] /= Float(count) + 1e-8 }
                }
                return
            }
            let sums = scratch.take(Int32.self, count: result.columns)
            compute {
                let count = maskedSum(
                    bits: bits, count: features.rows, features: features.bytes, stride: features.stride, channels: result.columns, into: sums)
                let shift = Int32(truncatingIfNeeded: count) &* quantization.zeroPoint
                for column in 0..<result.columns {
                    mean[column] = Float(sums[column] &- shift) * quantization.scales[column] / (Float(count) + 1e-8)
                }
            }
        }
    }

    // MARK: - One block of rows

    /// Calls `body` with ranges that cover `0..<count` and scratch of the thread's own: as many rows as a product with `layer`'s weights
    /// likes, enough to share the weights, few enough to share out among the threads, in equal parts.
    private func rowBlocks(_ count: Int, of layer: Linear? = nil, _ body: (Range<Int>, Arena) -> Void) {
        var most = 64
        var piecesPerThread = 4
        // Weights in float32 do not fit the caches, but for a few columns: the fewer times they pass by, the better.
        if case .float32 = layer?.kind { (most, piecesPerThread) = (128, 1) }
        // Whole tiles of any instruction set, three to a piece at least.
        let rows = 8
        let tiles = (count + rows - 1) / rows
        let threads = pool.threads
        let wanted = max((count + most - 1) / most, min(piecesPerThread * threads, tiles / 3), 1)
        let pieces = min((wanted + threads - 1) / threads * threads, max(tiles, 1))
        let (each, longer) = tiles.quotientAndRemainder(dividingBy: pieces)
        // The longer ones last, where the last tile may be short.
        blocks(pieces, of: 1) { piece, scratch in
            let first = piece.lowerBound * each + max(0, piece.lowerBound - (pieces - longer))
            let last = piece.upperBound * each + max(0, piece.upperBound - (pieces - longer))
            body(min(first * rows, count)..<min(last * rows, count), scratch)
        }
    }

    /// Rows `rows` of `x W^T + bias`, finished and written by `Epilogue`. In int8 a row of `x` may consist of several `taps`, `tapRows` rows of
    /// `x` apart (see `Gemm`).
    func gemm(
        _ x: Operand, _ layer: Linear, rows: Range<Int>, taps: Int = 1, tapRows: Int = 0, scratch: Arena, adding table: PositionTable? = nil,
        activation: Activation = .none, output: RowOutput
    ) {
        let terms = table.map {
            Epilogue.Table(vertical: $0.vertical.base, horizontal: $0.horizontal.map { UnsafePointer($0.base) }, period: $0.period, width: layer.columns)
        }
        switch layer.kind {
        case .int8(let packed, let offset, let scale, _):
            // Some columns at a time, so that their sums never leave the first-level cache.
            let layout = kernels.layout
            let width = max(1, 64 / layout.columnsPerPanel) * layout.columnsPerPanel
            let sums = scratch.take(Int32.self, count: rows.count * width)
            for column in stride(from: 0, to: layer.columns, by: width) {
                let columns = column..<min(column + width, layer.columns)
                let epilogue = Epilogue(
                    values: .sums(sums, offset: offset, scale: scale), valuesStride: width, rows: rows, columns: columns, bias: layer.bias,
                    table: terms, activation: activation, output: output)
                epilogue.prefetch()
                kernels.perform(
                    Gemm(
                        x.bytes + rows.lowerBound * x.stride, rows: rows.count, rowStride: x.stride, depth: layer.depth / taps, taps: taps,
                        tapStride: tapRows * x.stride, packed: packed + column / layout.columnsPerPanel * layout.panelBytes(depth: layer.depth),
                        columns: columns.count, into: sums, sumStride: width))
                kernels.perform(.epilogue(epilogue))
            }
        case .float32(let weights):
            let values = scratch.take(Float.self, count: rows.count * layer.columns)
            kernels.perform(.dotProducts(DotProducts(x.floats.rows(rows), weights, columns: layer.columns, into: values)))
            kernels.perform(
                .epilogue(
                    Epilogue(
                        values: .floats(values), valuesStride: layer.columns, rows: rows, columns: 0..<layer.columns, bias: layer.bias, table: terms,
                        activation: activation, output: output)))
        }
    }

    /// An uninitialised operand in scratch memory.
    func newOperand(rows: Int, columns: Int, at point: QuantizationPoint) -> Operand {
        return Operand(base: arena.take(bytes: rows * point.bytes(columns)), rows: rows, columns: columns, point: point)
    }
}

extension IntegerArithmetic.Operand {
    /// Where kernels write the operand's rows.
    var output: RowOutput {
        guard let quantization = point.quantization else { return .floats(base.assumingMemoryBound(to: Float.self), stride: columns) }
        return .int8(bytes, stride: stride, multiplier: quantization.multipliers, zeroPoint: quantization.zeroPoint)
    }
}
