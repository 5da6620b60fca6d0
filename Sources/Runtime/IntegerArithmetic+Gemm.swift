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

    public func operand(size: Size, columns: Int, at point: QuantizationPoint, bordered: Bool, _ write: (MapOutput) -> Void) -> Operand {
        guard bordered else {
            let result = newOperand(rows: size.area, columns: columns, at: point)
            write(MapOutput(result.output, period: size.width))
            return result
        }
        // A line of zeros above and below, and one pixel between lines, which is the right border of one and the left border of the next.
        let period = size.width + 1
        let result = newOperand(rows: (size.height + 2) * period + 1, columns: columns, at: point)
        let zero = UInt8(bitPattern: Int8(truncatingIfNeeded: point.quantization?.zeroPoint ?? 0))
        let rowBytes = point.bytes(columns)
        func clear(_ pixels: Range<Int>) {
            (result.base + pixels.lowerBound * rowBytes).initializeMemory(as: UInt8.self, repeating: zero, count: pixels.count * rowBytes)
        }
        compute {
            clear(0..<period + 1)
            for line in 1..<size.height { clear((line + 1) * period..<(line + 1) * period + 1) }
            clear((size.height + 1) * period..<result.rows)
        }
        write(MapOutput(result.output.advanced(by: period + 1), period: period))
        return result
    }

    /// The same int8 values, a convolution's patches pixel by pixel, in the rows that `layer` reads.
    public func regrouped(_ operand: Operand, for layer: Linear) -> Operand {
        let rows = operand.rows * operand.columns / layer.depth
        guard layer.paddedTapDepth > layer.tapDepth else {
            return Operand(base: operand.base, rows: rows, columns: layer.depth, point: operand.point)
        }
        let result = newOperand(rows: rows, columns: layer.taps * layer.paddedTapDepth, at: operand.point)
        for piece in 0..<rows * layer.taps {
            (result.bytes + piece * layer.paddedTapDepth).update(from: operand.bytes + piece * layer.tapDepth, count: layer.tapDepth)
        }
        return result
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

    public func linear(_ x: Operand, _ layer: Linear, addingTo stream: Matrix, activation: Activation) {
        precondition(activation != .gelu)
        let output: RowOutput =
            activation == .relu ? .rectifiedSum(stream.base, stride: stream.columns) : .added(stream.base, stride: stream.columns)
        rowBlocks(x.rows, of: layer) { range, scratch in gemm(x, layer, rows: range, scratch: scratch, output: output) }
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
                case .halves(let halves):
                    let padded = HalvedRows.paddedDepth(layer.depth)
                    for position in 0..<layer.depth {
                        let low = halves.cross[kernels.layout.offset(column: column, position: position, depth: 2 * padded)]
                        let high = halves.cross[kernels.layout.offset(column: column, position: padded + position, depth: 2 * padded)]
                        weights.base[position] = Float(256 * Int32(high) + Int32(low)) * halves.scales[column]
                    }
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

    public func comparands(_ rows: Matrix) -> Halves { halves(rows, in: arena) }

    public func similarity(_ x: Matrix, _ rows: Halves, into result: Matrix) {
        let zeros = matrix(rows: 1, columns: rows.columns)
        compute { zeros.base.update(repeating: 0, count: zeros.count) }
        rowBlocks(x.rows) { range, scratch in
            product(x.rows(range), rows, scratch: scratch) { columns, stride, values in
                kernels.perform(
                    .epilogue(
                        Epilogue(
                            values: values(0), valuesStride: stride, rows: range, columns: columns, bias: zeros.base,
                            output: .floats(result.base, stride: result.columns))))
            }
        }
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
            let staging = scratch.take(Int8.self, count: Gemm.scratchCount(rows: range.count, depth: depth))
            kernels.perform(
                Gemm(
                    features.bytes + range.lowerBound * features.stride, rows: range.count, rowStride: features.stride, depth: depth, packed: packed,
                    columns: queries, into: sums, sumStride: stride, scratch: staging))
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
        // Whole tiles of any instruction set.
        let rows = 8
        unitBlocks((count + rows - 1) / rows, rows: rows, of: layer) { units, scratch in
            body(min(units.lowerBound * rows, count)..<min(units.upperBound * rows, count), scratch)
        }
    }

    /// As `rowBlocks`, with ranges of units of `rows` rows each, which stay together.
    func unitBlocks(_ count: Int, rows: Int, of layer: Linear?, _ body: (Range<Int>, Arena) -> Void) {
        let most = 64
        let piecesPerThread = 4
        let threads = pool.threads
        // Three tiles to a piece at least.
        let wanted = max((count * rows + most - 1) / most, min(piecesPerThread * threads, count * rows / 24), 1)
        let pieces = min((wanted + threads - 1) / threads * threads, max(count, 1))
        let (each, longer) = count.quotientAndRemainder(dividingBy: pieces)
        // The longer ones last, where the last tile may be short.
        blocks(pieces, of: 1) { piece, scratch in
            let first = piece.lowerBound * each + max(0, piece.lowerBound - (pieces - longer))
            let last = piece.upperBound * each + max(0, piece.upperBound - (pieces - longer))
            body(first..<last, scratch)
        }
    }

    /// The rows that a product reads, `stride` values apart, each in the layer's taps, `tapStride` values apart.
    struct Rows {
        let base: UnsafeMutableRawPointer
        let count, stride: Int
        var tapStride = 0
    }

    /// Which rows of a product are results: the first `width` of every `period`, `count` times. They are rows `first` and following of the
    /// output, and for each line after it those `outputPeriod` behind.
    struct Lines {
        let count, width, period: Int
        let first, outputPeriod: Int
    }

    /// Rows `rows` of `x W^T + bias`, finished and written by `Epilogue`.
    func gemm(
        _ x: Operand, _ layer: Linear, rows: Range<Int>, scratch: Arena, adding table: PositionTable? = nil, activation: Activation = .none, output: RowOutput
    ) {
        gemm(
            Rows(base: x.base + rows.lowerBound * x.stride, count: rows.count, stride: x.columns, tapStride: layer.paddedTapDepth), layer,
            lines: Lines(count: 1, width: rows.count, period: rows.count, first: rows.lowerBound, outputPeriod: rows.count),
            scratch: scratch, adding: table, activation: activation, output: output)
    }

    /// `x W^T + bias`, finished line by line and written by `Epilogue`.
    func gemm(
        _ x: Rows, _ layer: Linear, lines: Lines, scratch: Arena, adding table: PositionTable? = nil, activation: Activation, output: RowOutput
    ) {
        let terms = table.map {
            Epilogue.Table(vertical: $0.vertical.base, horizontal: $0.horizontal.map { UnsafePointer($0.base) }, period: $0.period, width: layer.columns)
        }
        /// For each line what finishes `columns` of it, whose values begin where `values` says.
        func forEachLine(_ columns: Range<Int>, stride: Int, _ values: (Int) -> Epilogue.Values, _ body: (Epilogue) -> Void) {
            for line in 0..<lines.count {
                let first = lines.first + line * lines.outputPeriod
                body(
                    Epilogue(
                        values: values(line * lines.period * stride), valuesStride: stride, rows: first..<first + lines.width, columns: columns,
                        bias: layer.bias, table: terms, activation: activation, output: output))
            }
        }
        switch layer.kind {
        case .int8(let packed, let offset, let scale, _):
            // Some columns at a time, so that their sums never leave the first-level cache.
            let layout = kernels.layout
            let width = max(1, 64 / layout.columnsPerPanel) * layout.columnsPerPanel
            let sums = scratch.take(Int32.self, count: x.count * width)
            let panelBytes = layout.panelBytes(depth: layer.taps * layer.paddedTapDepth)
            let staging = scratch.take(
                Int8.self, count: Gemm.scratchCount(rows: x.count, depth: layer.paddedTapDepth, taps: layer.taps))
            for column in stride(from: 0, to: layer.columns, by: width) {
                let columns = column..<min(column + width, layer.columns)
                let values = { Epilogue.Values.sums(sums + $0, offset: offset, scale: scale) }
                forEachLine(columns, stride: width, values) { $0.prefetch() }
                kernels.perform(
                    Gemm(
                        x.base.assumingMemoryBound(to: Int8.self), rows: x.count, rowStride: x.stride, depth: layer.paddedTapDepth, taps: layer.taps,
                        tapStride: x.tapStride, packed: packed + column / layout.columnsPerPanel * panelBytes, columns: columns.count, into: sums,
                        sumStride: width, scratch: staging, hasStagedRows: column > 0))
                forEachLine(columns, stride: width, values) { kernels.perform(.epilogue($0)) }
            }
        case .halves(let weights):
            product(gathered(x, layer, scratch: scratch), weights, scratch: scratch) { columns, stride, values in
                forEachLine(columns, stride: stride, values) { kernels.perform(.epilogue($0)) }
            }
        }
    }

    /// Calls `finish` with the products of `x` and some columns at a time. - Parameter finish: gets the columns, the stride of the values, and
    /// for the place of a row's first value, a multiple of the stride, the values from there on.
    private func product(
        _ x: Matrix, _ weights: Halves, scratch: Arena, _ finish: (_ columns: Range<Int>, _ stride: Int, _ values: (Int) -> Epilogue.Values) -> Void
    ) {
        let padded = HalvedRows.paddedDepth(x.columns)
        let layout = kernels.layout
        let width = max(1, 64 / layout.columnsPerPanel) * layout.columnsPerPanel
        let rows = scratch.take(Int8.self, count: x.rows * 2 * padded)
        let rowScales = scratch.take(Float.self, count: x.rows)
        let high = scratch.take(Int32.self, count: x.rows * width)
        let cross = scratch.take(Int32.self, count: x.rows * width)
        let staging = scratch.take(Int8.self, count: Gemm.scratchCount(rows: x.rows, depth: 2 * padded))
        compute { rows.update(repeating: 0, count: x.columns == padded ? 0 : x.rows * 2 * padded) }
        kernels.perform(
            .halvedRows(HalvedRows(x.base, rows: x.rows, stride: x.columns, depth: x.columns, isLowFirst: false, into: rows, scales: rowScales)))
        for column in stride(from: 0, to: weights.columns, by: width) {
            let columns = column..<min(column + width, weights.columns)
            let panel = column / layout.columnsPerPanel
            for (depth, packed, sums) in [(padded, weights.high, high), (2 * padded, weights.cross, cross)] {
                kernels.perform(
                    Gemm(
                        rows, rows: x.rows, rowStride: 2 * padded, depth: depth, packed: packed + panel * layout.panelBytes(depth: depth),
                        columns: columns.count, into: sums, sumStride: width, scratch: staging))
            }
            finish(columns, width) {
                .halves(high: high + $0, cross: cross + $0, rowScales: rowScales + $0 / width, columnScales: weights.scales)
            }
        }
    }

    /// The rows in one piece each, in scratch memory where they are not.
    private func gathered(_ x: Rows, _ layer: Linear, scratch: Arena) -> Matrix {
        let values = x.base.assumingMemoryBound(to: Float.self)
        guard layer.taps > 1 else { return Matrix(values, rows: x.count, columns: layer.depth) }
        let result = Matrix(scratch.take(Float.self, count: x.count * layer.depth), rows: x.count, columns: layer.depth)
        compute {
            for row in 0..<x.count {
                for tap in 0..<layer.taps {
                    (result.row(row) + tap * layer.tapDepth).update(from: values + (row * x.stride + tap * x.tapStride), count: layer.tapDepth)
                }
            }
        }
        return result
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
