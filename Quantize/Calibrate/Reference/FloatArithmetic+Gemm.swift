import COpenBLAS
import CSystem
import Kernels
import Network

/// y (rows x columns) += x (rows x depth) w^T, w columns x depth.
func accumulateProduct(
    _ x: UnsafePointer<Float>, rows: Int, depth: Int, stride: Int, _ w: UnsafePointer<Float>, columns: Int, wStride: Int,
    scale: Float = 1, beta: Float = 1, into y: UnsafeMutablePointer<Float>, yStride: Int
) {
    guard rows > 0, columns > 0 else { return }
    cblas_sgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rows), blasint(columns), blasint(depth), scale, x, blasint(stride),
        w, blasint(wStride), beta, y, blasint(yStride))
}

extension FloatArithmetic {
    public func operand(_ values: Matrix, at point: QuantizationPoint) -> Matrix {
        observe?(point, values)
        guard let parameters = simulation.points[point.name] else { return values }
        return simulated(values, parameters, channels: point.channels)
    }

    /// Borders are left out, in which `convolution3x3` agrees.
    public func operand(size: Size, columns: Int, at point: QuantizationPoint, bordered: Bool, _ write: (MapOutput) -> Void) -> Matrix {
        let values = matrix(rows: size.area, columns: columns)
        write(MapOutput(values, width: size.width))
        return operand(values, at: point)
    }

    public func rows(_ range: Range<Int>, of operand: Matrix) -> Matrix {
        operand.rows(range)
    }

    public func linear(_ x: Matrix, _ layer: Layer, adding table: PositionTable?, into result: Matrix) {
        product(x, layer, into: result)
        guard let table else { return }
        parallel(result.rows) { range in
            for row in range {
                let y = result.row(row)
                let vertical = table.vertical.row(row / table.period)
                for column in 0..<result.columns { y[column] += vertical[column] }
                guard let horizontal = table.horizontal?.row(row % table.period) else { continue }
                for column in 0..<result.columns { y[column] += horizontal[column] }
            }
        }
    }

    public func linear(_ x: Matrix, _ layer: Layer, adding table: PositionTable?, activation: Activation, at point: QuantizationPoint) -> Matrix {
        let result = matrix(rows: x.rows, columns: layer.parameters.columns)
        linear(x, layer, adding: table, into: result)
        activate(result, activation)
        return operand(result, at: point)
    }

    public func linear(_ x: Matrix, _ layer: Layer, addingTo stream: Matrix, activation: Activation) {
        let mark = mark()
        let result = matrix(rows: x.rows, columns: stream.columns)
        product(x, layer, into: result)
        for index in 0..<stream.count { stream.base[index] += result.base[index] }
        activate(stream, activation)
        release(mark)
    }

    public func feedForward(_ x: Matrix, expand: Layer, activation: Activation, at hidden: QuantizationPoint, project: Layer, addingTo stream: Matrix) {
        // Blocks of rows bound the hidden values' memory.
        var row = 0
        while row < x.rows {
            let rows = row..<min(row + 1024, x.rows)
            row = rows.upperBound
            let mark = mark()
            let values = linear(x.rows(rows), expand, adding: nil, activation: activation, at: hidden)
            linear(values, project, addingTo: stream.rows(rows), activation: .none)
            release(mark)
        }
    }

    public func table(_ x: Matrix, _ layer: Layer, into result: Matrix) {
        // From the float32 weights, also where a layer is simulated: tables outlive a simulation.
        accumulateProduct(
            x.base, rows: x.rows, depth: x.columns, stride: x.columns, layer.parameters.weights, columns: result.columns, wStride: x.columns,
            beta: 0, into: result.base, yStride: result.columns)
    }

    public func masks(_ embeddings: Matrix, features: Matrix, into result: Matrix) {
        observeProduct?(ProductRun(name: "mask_decoder.", left: embeddings, right: features, heads: 1, blocked: nil, isAttention: false))
        similarity(embeddings, features, into: result)
    }

    public func comparands(_ rows: Matrix) -> Matrix { rows }

    public func similarity(_ x: Matrix, _ rows: Matrix, into result: Matrix) {
        accumulateProduct(
            x.base, rows: x.rows, depth: x.columns, stride: x.columns, rows.base, columns: rows.rows, wStride: rows.columns,
            beta: 0, into: result.base, yStride: result.columns)
    }

    /// `result = x W^T + bias`.
    func product(_ x: Matrix, _ layer: Layer, into result: Matrix) {
        let mark = mark()
        defer { release(mark) }
        let (x, parameters) = operands(x, layer)
        for row in 0..<result.rows { result.row(row).update(from: parameters.bias, count: result.columns) }
        accumulateProduct(
            x.base, rows: x.rows, depth: parameters.depth, stride: x.columns, parameters.weights, columns: parameters.columns,
            wStride: parameters.depth, into: result.base, yStride: result.columns)
        audit?(LayerRun(layer: layer, input: x, result: result))
    }

    func activate(_ x: Matrix, _ activation: Activation) {
        guard activation != .none else { return }
        parallel(x.rows) { range in
            for row in range {
                switch activation {
                case .none: break
                case .relu: relu(x.row(row), count: x.columns)
                case .gelu: gelu(x.row(row), count: x.columns)
                }
            }
        }
    }
}
