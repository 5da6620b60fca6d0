import Kernels
import ModelFormat
import System

/// Scale and shift of a normalisation layer.
struct NormParameters {
    let weight: Matrix
    let bias: Matrix

    init<A: Arithmetic>(_ name: String, channels: Int, _ arithmetic: A) throws(Fault) {
        weight = try arithmetic.parameter(name + ".weight", rows: 1, columns: channels)
        bias = try arithmetic.parameter(name + ".bias", rows: 1, columns: channels)
    }

    /// LayerNorm of each row of `x`, in place.
    func apply<A: Arithmetic>(to x: Matrix, epsilon: Float = 1e-5, _ arithmetic: A) {
        apply(x, epsilon: epsilon, into: x, arithmetic)
    }

    func apply<A: Arithmetic>(_ x: Matrix, epsilon: Float = 1e-5, into y: Matrix, _ arithmetic: A) {
        arithmetic.parallel(x.rows) { range in
            arithmetic.perform(
                .layerNorm(
                    LayerNorm(
                        x.base, rows: range, columns: x.columns, epsilon: epsilon, weight: weight.base, bias: bias.base,
                        output: .floats(y.base, stride: y.columns))))
        }
    }
}

/// A map that is upsampled bilinearly.
struct CoarseMap {
    /// `size.area` rows.
    let map: Matrix
    let size: Size
}

extension Arithmetic {
    /// LayerNorm without weight and bias of each row of `x`, in place.
    func normalizeRows(_ x: Matrix, epsilon: Float) {
        parallel(x.rows) { range in
            perform(.layerNorm(LayerNorm(x.base, rows: range, columns: x.columns, epsilon: epsilon, output: .floats(x.base, stride: x.columns))))
        }
    }

    /// GroupNorm of the map `x` over all its rows, in place.
    func groupNorm(_ x: Matrix, _ parameters: NormParameters) {
        let mark = mark()
        let norm = GroupNorm(x, parameters, self)
        parallel(x.rows) { rows in
            perform(.epilogue(norm.epilogue(rows: rows, activation: .none, output: .floats(x.row(rows.lowerBound), stride: x.columns))))
        }
        release(mark)
    }

    /// `activation(GroupNorm(x) + coarse)`, quantized at `point`: `x` is a map of `size`, `coarse` is upsampled to
    /// `size`.
    ///
    /// - Parameter bordered: whether a 3x3 convolution will read the result.
    func groupNorm(
        _ x: Matrix, size: Size, _ parameters: NormParameters, adding coarse: CoarseMap? = nil, activation: Activation = .none, at point: QuantizationPoint,
        bordered: Bool = false
    ) -> Operand {
        operand(size: size, columns: x.columns, at: point, bordered: bordered) { output in
            let mark = mark()
            let norm = GroupNorm(x, parameters, self)
            // Lines are upsampled one at a time, into a buffer that stays in the caches.
            let bands = min(size.height, 16)
            let buffer = matrix(rows: coarse == nil ? 0 : bands * size.width, columns: x.columns)
            parallel(bands) { range in
                for band in range {
                    let added = buffer.base + (coarse == nil ? 0 : band * size.width * x.columns)
                    for line in size.height * band / bands..<size.height * (band + 1) / bands {
                        let rows = line * size.width..<(line + 1) * size.width
                        var table: Epilogue.Table?
                        if let coarse {
                            perform(.resizedLine(ResizedLine(coarse.map, from: coarse.size, to: size, line: line, into: added)))
                            table = Epilogue.Table(vertical: added, horizontal: nil, period: 1, width: x.columns)
                        }
                        perform(.epilogue(norm.epilogue(rows: rows, adding: table, activation: activation, output: output.line(line).rows)))
                    }
                }
            }
            release(mark)
        }
    }
}

/// A map, and the mean and factor of each channel's group.
private struct GroupNorm {
    let x: Matrix
    let means: UnsafeMutablePointer<Float>
    let factors: UnsafeMutablePointer<Float>
    let bias: UnsafePointer<Float>

    /// Takes scratch memory.
    init<A: Arithmetic>(_ x: Matrix, _ parameters: NormParameters, _ arithmetic: A) {
        let means = arithmetic.scratch(Float.self, count: x.columns)
        let factors = arithmetic.scratch(Float.self, count: x.columns)
        let rows = ChannelMoments.blockRows
        let blocks = (x.rows + rows - 1) / rows
        let moments = arithmetic.matrix(rows: 2 * blocks, columns: x.columns)
        arithmetic.parallel(blocks) { range in
            for block in range {
                arithmetic.perform(
                    .channelMoments(
                        ChannelMoments(
                            x.rows(block * rows..<min((block + 1) * rows, x.rows)), means: moments.row(2 * block), squares: moments.row(2 * block + 1))))
            }
        }
        arithmetic.parallel(Architecture.groups) { range in
            groupFactors(
                moments, rows: x.rows, groups: Architecture.groups, range: range, epsilon: 1e-5, weight: parameters.weight.base, means: means,
                factors: factors)
        }
        (self.x, self.means, self.factors, bias) = (x, means, factors, UnsafePointer(parameters.bias.base))
    }

    /// The normalisation of `rows` of the map. `table` and `output` begin with the first of them.
    func epilogue(rows: Range<Int>, adding table: Epilogue.Table? = nil, activation: Activation, output: RowOutput) -> Epilogue {
        Epilogue(
            values: .normalized(x.row(rows.lowerBound), means: means, factors: factors), valuesStride: x.columns, rows: 0..<rows.count,
            columns: 0..<x.columns, bias: bias, table: table, activation: activation, output: output)
    }
}
