import Kernels

extension IntegerArithmetic {
    /// Rows in one piece of deformable attention.
    private static var sampledRows: Int { 64 }

    public func sampledAttention(
        value: Operand, offsets: Matrix, weights: Matrix, levels: [Size], heads: Int, points: Int, at point: QuantizationPoint
    ) -> Operand {
        let result = newOperand(rows: offsets.rows, columns: value.columns, at: point)
        let sizes = arena.take(Size.self, count: levels.count)
        let starts = arena.take(Int.self, count: levels.count)
        compute {
            var start = 0
            for (index, size) in levels.enumerated() {
                sizes[index] = size
                starts[index] = start
                start += size.area
            }
        }
        let maps = Levels(sizes: sizes, starts: starts, count: levels.count)
        let samples = levels.count * points
        let values = value.int8Rows.map { SampledAttention.Values.int8($0) } ?? .floats(value.floats)
        blocks(offsets.rows, of: Self.sampledRows) { range, scratch in
            kernels.perform(.softmaxes(Softmaxes(weights.row(range.lowerBound), count: range.count * heads, width: samples)))
            let floats = scratch.take(Float.self, count: SampledAttention.scratchCount(samples: weights.columns))
            let means = Matrix(scratch.take(Float.self, count: range.count * result.columns), rows: range.count, columns: result.columns)
            kernels.perform(
                .sampledAttention(
                    SampledAttention(
                        values, levels: maps, heads: heads, points: points, offsets: offsets, weights: weights, rows: range, scratch: floats, into: means)))
            kernels.perform(.quantize(means, rows: 0..<means.rows, output: result.output.advanced(by: range.lowerBound)))
        }
        return result
    }
}
