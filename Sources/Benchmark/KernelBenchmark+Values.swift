import Kernels
import Runtime

/// Kernels of everything but products: how many values of their result a second.
extension KernelBenchmark {
    /// Rows and columns of a block, as stage 3 of the backbone has them.
    private static let rows = 64, width = 64, columns = 768

    /// One kernel and what it is called.
    typealias ValueKernel = (name: String, values: Int, kernels: [FloatKernel])

    /// Scratch comes from `arena`.
    static func valueKernels(_ arena: Arena) -> [ValueKernel] {
        let sums = arena.take(Int32.self, count: rows * width)
        let offset = arena.take(Int32.self, count: columns)
        for index in 0..<rows * width { sums[index] = Int32(truncatingIfNeeded: (index &* 2_654_435_761) >> 13) % 30_000 }
        offset.update(repeating: 17, count: columns)
        func floats(_ count: Int, _ value: (Int) -> Float) -> UnsafeMutablePointer<Float> {
            let floats = arena.take(Float.self, count: count)
            for index in 0..<count { floats[index] = value(index) }
            return floats
        }
        let scale = floats(columns) { _ in 1e-4 }
        let bias = floats(20 * width + columns) { Float($0 % 7) / 7 }
        let multiplier = floats(columns) { _ in 30 }
        let stream = floats(16 * rows * columns) { Float($0 % 1009) / 1009 }
        let weights = floats(rows * 96) { Float($0 % 13) / 13 }
        let bytes = arena.take(Int8.self, count: rows * columns)
        let moments = floats(2 * columns) { _ in 0 }
        func epilogue(_ activation: Activation, _ output: RowOutput, adding table: Epilogue.Table? = nil) -> FloatKernel {
            .epilogue(
                Epilogue(
                    values: .sums(sums, offset: offset, scale: scale), valuesStride: width, rows: 0..<rows, columns: 0..<width, bias: bias,
                    table: table, activation: activation, output: output))
        }
        let int8 = RowOutput.int8(bytes, stride: columns, multiplier: multiplier, zeroPoint: 3)
        let positions = Epilogue.Table(vertical: weights, horizontal: bias, period: 20, width: width)
        let block = Matrix(stream, rows: rows, columns: columns)
        // All of a residual stream's columns, block by block.
        let residuals = (0..<16 * columns / width).map { index in
            epilogue(.none, .added(stream + index / (columns / width) * rows * columns + index % (columns / width) * width, stride: columns))
        }
        return [
            ("sums to int8", rows * width, [epilogue(.none, int8)]),
            ("sums to int8 by GELU", rows * width, [epilogue(.gelu, int8)]),
            ("sums with position terms to floats", rows * width, [epilogue(.none, .floats(stream, stride: columns), adding: positions)]),
            ("sums added to one block", rows * width, [epilogue(.none, .added(stream, stride: columns))]),
            ("sums added to a stream of 1024x768", 16 * rows * columns, residuals),
            (
                "layer norm of 768 to int8", rows * columns,
                [
                    .layerNorm(LayerNorm(stream, rows: 0..<rows, columns: columns, epsilon: 1e-6, output: int8))
                ]
            ),
            ("floats to int8", rows * columns, [.quantize(block, rows: 0..<rows, output: int8)]),
            ("moments of 64 rows", rows * columns, [.channelMoments(ChannelMoments(block, means: moments, squares: moments + columns))]),
            ("softmax of 12", rows * 96, [.softmaxes(Softmaxes(weights, count: rows * 8, width: 12))]),
        ]
    }
}
