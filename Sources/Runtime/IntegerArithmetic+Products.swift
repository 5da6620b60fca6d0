import Kernels
import Network

extension IntegerArithmetic {
    /// Rows that one piece of a product covers.
    private static var blockRows: Int { 32 }

    public func operand(_ values: Matrix, at point: Point) -> Operand {
        guard point.quantization != nil else {
            return Operand(base: values.base, rows: values.rows, columns: values.columns, point: point)
        }
        let result = newOperand(rows: values.rows, columns: values.columns, at: point)
        parallel(values.rows) { range in
            for row in range { place(values.row(row), row: row, in: result) }
        }
        return result
    }

    /// The same values in rows of `columns`: a convolution's patches, quantized pixel by pixel.
    public func regrouped(_ operand: Operand, columns: Int) -> Operand {
        Operand(base: operand.base, rows: operand.rows * operand.columns / columns, columns: columns, point: operand.point)
    }

    /// Values given as int8.
    public func operand(_ values: [Int8], rows: Int, at point: Point) -> Operand {
        let bytes = arena.take(Int8.self, count: values.count)
        bytes.update(from: values, count: values.count)
        return Operand(base: UnsafeMutableRawPointer(bytes), rows: rows, columns: values.count / max(rows, 1), point: point)
    }

    public func rows(_ range: Range<Int>, of operand: Operand) -> Operand {
        Operand(
            base: operand.base + range.lowerBound * operand.stride, rows: range.count, columns: operand.columns, point: operand.point)
    }

    public func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, into result: Matrix) {
        blocks(x.rows, of: Self.blockRows) { range, scratch in
            products(x, layer, rows: range, scratch: scratch) { row, values in
                let y = result.row(row)
                values(y)
                add(table, row: row, count: result.columns, to: y)
            }
        }
    }

    public func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, activation: Activation, at point: Point) -> Operand {
        let result = newOperand(rows: x.rows, columns: layer.columns, at: point)
        blocks(x.rows, of: Self.blockRows) { range, scratch in
            let y = scratch.take(Float.self, count: layer.columns)
            products(x, layer, rows: range, scratch: scratch) { row, values in
                values(y)
                add(table, row: row, count: layer.columns, to: y)
                activate(y, count: layer.columns, activation)
                place(y, row: row, in: result)
            }
        }
        return result
    }

    public func linear(_ x: Operand, _ layer: Linear, addingTo stream: Matrix) {
        blocks(x.rows, of: Self.blockRows) { range, scratch in
            accumulate(x, layer, rows: range, scratch: scratch, addingTo: stream)
        }
    }

    public func perceptron(_ x: Operand, expand: Linear, activation: Activation, at hidden: Point, project: Linear, addingTo stream: Matrix) {
        blocks(x.rows, of: Self.blockRows) { range, scratch in
            let values = Operand(
                base: scratch.take(bytes: range.count * hidden.bytes(expand.columns)), rows: range.count, columns: expand.columns, point: hidden)
            let y = scratch.take(Float.self, count: expand.columns)
            products(x, expand, rows: range, scratch: scratch) { row, sums in
                sums(y)
                activate(y, count: expand.columns, activation)
                place(y, row: row - range.lowerBound, in: values)
            }
            accumulate(values, project, rows: 0..<range.count, scratch: scratch, addingTo: stream.rows(range))
        }
    }

    public func table(_ x: Matrix, _ layer: Linear, into result: Matrix) {
        let mark = mark()
        let weights = matrix(rows: 1, columns: layer.depth)
        for column in 0..<result.columns {
            switch layer.kind {
            case .float32(let stored): weights.base.update(from: stored + column * layer.depth, count: layer.depth)
            case .int8(_, _, let scale, let mapped):
                guard let input = layer.input.quantization else { continue }
                for position in 0..<layer.depth {
                    weights.base[position] = Float(mapped[column * layer.depth + position]) * scale[column] / input.scales[position]
                }
            }
            for row in 0..<x.rows { result[row, column] = dotProduct(x.row(row), weights.base, count: layer.depth) }
        }
        release(mark)
    }

    public func similarity(_ x: Matrix, _ rows: Matrix, into result: Matrix) {
        parallel(x.rows) { range in
            for row in range {
                let values = x.row(row), y = result.row(row)
                for other in 0..<rows.rows { y[other] = dotProduct(values, rows.row(other), count: x.columns) }
            }
        }
    }

    public func masks(_ embeddings: Operand, features: Operand, into result: Matrix) {
        guard let left = embeddings.point.quantization, let right = features.point.quantization else {
            return similarity(embeddings.floats, features.floats, into: result)
        }
        let mark = mark()
        // The embeddings, few, take the part of the weights; the pixels, many, are read in place.
        let queries = embeddings.rows, depth = embeddings.columns
        let rows = arena.take(Int8.self, count: queries * depth)
        let offset = arena.take(Int32.self, count: queries)
        for query in 0..<queries {
            var sum: Int32 = 0
            for position in 0..<depth {
                let value = max(embeddings.bytes[query * embeddings.stride + position], -127)
                rows[query * depth + position] = value
                sum &+= Int32(value)
            }
            offset[query] = 0 &- right.zeroPoint &* sum
        }
        let packed = arena.take(Int8.self, count: kernels.layout.byteCount(columns: queries, depth: depth))
        packWeights(rows, columns: queries, depth: depth, layout: kernels.layout, into: packed)
        let scale = left.scale * right.scale
        blocks(features.rows, of: Self.blockRows) { range, scratch in
            let sums = scratch.take(Int32.self, count: range.count * queries)
            kernels.product(features.bytes + range.lowerBound * features.stride, range.count, features.stride, depth, packed, queries, sums, queries)
            for query in 0..<queries {
                let logits = result.row(query) + range.lowerBound
                for row in 0..<range.count { logits[row] = Float(sums[row * queries + query] &+ offset[query]) * scale }
            }
        }
        release(mark)
    }

    public func maskedMean(_ bits: UnsafePointer<UInt64>, wordsPerRow: Int, features: Operand, into result: Matrix) {
        blocks(result.rows, of: 1) { range, scratch in
            let row = range.lowerBound, mean = result.row(row), bits = bits + row * wordsPerRow
            guard let quantization = features.point.quantization else {
                let count = maskedSum(bits: bits, count: features.rows, features: features.floats.base, stride: features.columns, channels: result.columns, into: mean)
                for column in 0..<result.columns { mean[column] /= Float(count) + 1e-8 }
                return
            }
            let sums = scratch.take(Int32.self, count: result.columns)
            let count = maskedSum(bits: bits, count: features.rows, features: features.bytes, stride: features.stride, channels: result.columns, into: sums)
            let shift = Int32(truncatingIfNeeded: count) &* quantization.zeroPoint
            for column in 0..<result.columns {
                mean[column] = Float(sums[column] &- shift) * quantization.scales[column] / (Float(count) + 1e-8)
            }
        }
    }

    // MARK: - One block of rows

    /// Calls `body` with each row of `x W^T + bias`: the row's number and a function that writes its values.
    @inline(__always)
    func products(_ x: Operand, _ layer: Linear, rows: Range<Int>, scratch: Arena, _ body: (Int, (UnsafeMutablePointer<Float>) -> Void) -> Void) {
        switch layer.kind {
        case .int8(let packed, let offset, let scale, _):
            let sums = scratch.take(Int32.self, count: rows.count * layer.columns)
            kernels.product(x.bytes + rows.lowerBound * x.stride, rows.count, x.stride, layer.depth, packed, layer.columns, sums, layer.columns)
            for row in rows {
                body(row) { y in
                    finish(accumulators: sums + (row - rows.lowerBound) * layer.columns, offset: offset, scale: scale, bias: layer.bias, count: layer.columns, into: y)
                }
            }
        case .float32(let weights):
            for row in rows {
                body(row) { y in
                    for column in 0..<layer.columns {
                        y[column] = dotProduct(x.floats.row(row), weights + column * layer.depth, count: layer.depth) + layer.bias[column]
                    }
                }
            }
        }
    }

    private func accumulate(_ x: Operand, _ layer: Linear, rows: Range<Int>, scratch: Arena, addingTo stream: Matrix) {
        let y = scratch.take(Float.self, count: layer.columns)
        products(x, layer, rows: rows, scratch: scratch) { row, values in
            values(y)
            let target = stream.row(row)
            for column in 0..<layer.columns { target[column] += y[column] }
        }
    }

    private func add(_ table: PositionTable?, row: Int, count: Int, to y: UnsafeMutablePointer<Float>) {
        guard let table else { return }
        let vertical = table.vertical.row(row / table.period)
        for column in 0..<count { y[column] += vertical[column] }
        guard let horizontal = table.horizontal?.row(row % table.period) else { return }
        for column in 0..<count { y[column] += horizontal[column] }
    }

    private func activate(_ y: UnsafeMutablePointer<Float>, count: Int, _ activation: Activation) {
        switch activation {
        case .none: break
        case .relu: relu(y, count: count)
        case .gelu: gelu(y, count: count)
        }
    }

    /// An uninitialised operand in scratch memory.
    func newOperand(rows: Int, columns: Int, at point: Point) -> Operand {
        return Operand(base: arena.take(bytes: rows * point.bytes(columns)), rows: rows, columns: columns, point: point)
    }

    /// Writes `values` as row `row` of an operand.
    func place(_ values: UnsafePointer<Float>, row: Int, in operand: Operand) {
        if let quantization = operand.point.quantization {
            quantize(
                values, multiplier: quantization.multipliers, zeroPoint: quantization.zeroPoint, count: operand.columns,
                into: operand.bytes + row * operand.stride)
        } else {
            operand.floats.row(row).update(from: values, count: operand.columns)
        }
    }
}
