import Kernels
import ModelFormat
import Network
import System

extension IntegerArithmetic {
    public func quantizationPoint(_ name: String, channels: Int) throws(Fault) -> QuantizationPoint {
        guard let stored = model.points[name] else { return QuantizationPoint(channels: channels, quantization: nil) }
        let scales = constants.take(Float.self, count: channels)
        let multipliers = constants.take(Float.self, count: channels)
        let hasOneScale = model.file.tensorIfPresent(name + ".scale") == nil
        if !hasOneScale {
            try model.floats(name + ".scale", count: channels, into: scales)
        } else {
            scales.update(repeating: stored.scale, count: channels)
        }
        for channel in 0..<channels {
            multipliers[channel] = 1 / scales[channel]
            guard scales[channel] > 0, multipliers[channel].isFinite else {
                throw Fault("\(model.file.path): quantization point \(name) has scale \(scales[channel]) in channel \(channel)")
            }
        }
        return QuantizationPoint(
            channels: channels,
            quantization: Quantization(scale: stored.scale, zeroPoint: stored.zeroPoint, multipliers: multipliers, scales: scales, hasOneScale: hasOneScale))
    }

    public func require(_ points: [QuantizationPoint], symmetric: Bool, for user: String) throws(Fault) {
        let quantized = points.compactMap { $0.quantization }
        guard quantized.isEmpty || quantized.count == points.count else {
            throw Fault("\(model.file.path): \(user) mixes int8 and float32 operands")
        }
        guard quantized.allSatisfy({ $0.hasOneScale }) else { throw Fault("\(model.file.path): \(user) needs one scale for all channels") }
        guard !symmetric || (quantized.first?.zeroPoint ?? 0) == 0 else { throw Fault("\(model.file.path): \(user) needs zero point 0") }
    }

    public func linear(_ name: String, columns: Int, depth: Int, taps: Int, input: QuantizationPoint) throws(Fault) -> Linear {
        let bias = try floats(name + ".bias", count: columns)
        let weight = name + ".weight"
        if try model.file.tensor(weight).kind == .float32 {
            guard input.quantization == nil else { throw Fault("\(model.file.path): \(name) is float32 but its input is int8") }
            let stored = staging.memory(bytes: columns * depth * 4).assumingMemoryBound(to: Float.self)
            try model.floats(weight, count: columns * depth, into: stored)
            let halves = self.halves(Matrix(stored, rows: columns, columns: depth), in: constants)
            return Linear(columns: columns, depth: depth, taps: taps, bias: bias, input: input, kind: .halves(halves))
        }
        guard let quantization = input.quantization else {
            throw Fault("\(model.file.path): \(name) is int8 but its input has no quantization point")
        }
        // Read outside of the arena, which keeps the packed weights only.
        let tapDepth = depth / taps
        let paddedTap = Linear.padded(tapDepth, taps: taps)
        let padded = taps * paddedTap
        let stored = staging.memory(bytes: columns * padded).assumingMemoryBound(to: Int8.self)
        try model.weights(weight, count: columns * depth, into: stored)
        if padded > depth { pad(stored, pieces: columns * taps, from: tapDepth, to: paddedTap) }
        let scale = try floats(name + ".scale", count: columns)
        let packed = constants.take(Int8.self, count: kernels.layout.byteCount(columns: columns, depth: padded))
        let offset = constants.take(Int32.self, count: columns)
        pack(stored, columns: columns, depth: padded, columnStride: padded, zeroPoint: quantization.zeroPoint, into: packed, offset: offset)
        return Linear(
            columns: columns, depth: depth, taps: taps, bias: bias, input: input,
            kind: .int8(packed: packed, offset: offset, scale: scale, input: quantization))
    }

    /// Moves `pieces` pieces of `count` weights, one after the other, apart to `padded` weights each, zeros behind each, in place.
    private func pad(_ weights: UnsafeMutablePointer<Int8>, pieces: Int, from count: Int, to padded: Int) {
        for piece in (0..<pieces).reversed() {
            let target = weights + piece * padded
            target.update(from: weights + piece * count, count: count)
            (target + count).update(repeating: 0, count: padded - count)
        }
    }

    /// A float32 tensor of the model; it lives as long as the arithmetic.
    private func floats(_ name: String, count: Int) throws(Fault) -> UnsafeMutablePointer<Float> {
        let values = constants.take(Float.self, count: count)
        try model.floats(name, count: count, into: values)
        return values
    }

    /// The rows of `weights` as columns of a product, in memory of `arena`.
    func halves(_ weights: Matrix, in arena: Arena) -> Halves {
        let padded = HalvedRows.paddedDepth(weights.columns)
        let layout = kernels.layout
        let scales = arena.take(Float.self, count: weights.rows)
        let high = arena.take(Int8.self, count: layout.byteCount(columns: weights.rows, depth: padded))
        let cross = arena.take(Int8.self, count: layout.byteCount(columns: weights.rows, depth: 2 * padded))
        let mark = mark()
        let halves = scratch(Int8.self, count: weights.rows * 2 * padded)
        let unused = scratch(Int32.self, count: weights.rows)
        parallel(weights.rows) { rows in
            kernels.perform(
                .halvedRows(
                    HalvedRows(
                        weights.row(rows.lowerBound), rows: rows.count, stride: weights.columns, depth: weights.columns, isLowFirst: true,
                        into: halves + rows.lowerBound * 2 * padded, scales: scales + rows.lowerBound)))
            for row in rows {
                for half in 0..<2 { (halves + (2 * row + half) * padded + weights.columns).update(repeating: 0, count: padded - weights.columns) }
            }
        }
        pack(halves + padded, columns: weights.rows, depth: padded, columnStride: 2 * padded, zeroPoint: 0, into: high, offset: unused)
        pack(halves, columns: weights.rows, depth: 2 * padded, columnStride: 2 * padded, zeroPoint: 0, into: cross, offset: unused)
        release(mark)
        return Halves(columns: weights.rows, depth: weights.columns, high: high, cross: cross, scales: scales)
    }

    /// Packs `columns` rows, `columnStride` bytes apart, of `depth` weights. `offset` becomes what compensates for the
    /// other operand's zero point.
    func pack(
        _ weights: UnsafePointer<Int8>, columns: Int, depth: Int, columnStride: Int, zeroPoint: Int32, into packed: UnsafeMutablePointer<Int8>,
        offset: UnsafeMutablePointer<Int32>
    ) {
        let panel = kernels.layout.columnsPerPanel
        let panelBytes = kernels.layout.panelBytes(depth: depth)
        parallel((columns + panel - 1) / panel) { panels in
            let own = panels.lowerBound * panel..<min(panels.upperBound * panel, columns)
            packWeights(
                weights + own.lowerBound * columnStride, columns: own.count, depth: depth, columnStride: columnStride, layout: kernels.layout,
                into: packed + panels.lowerBound * panelBytes)
            for column in own {
                let own = weights + column * columnStride
                var sum: Int32 = 0
                for position in 0..<depth { sum &+= Int32(max(own[position], -127)) }
                offset[column] = 0 &- zeroPoint &* sum
            }
        }
    }

    public func depthwise(_ name: String, channels: Int, input: QuantizationPoint) throws(Fault) -> Depthwise {
        guard let quantization = input.quantization, quantization.zeroPoint == 0 else {
            throw Fault("\(model.file.path): \(name) needs an input with zero point 0")
        }
        let offset = constants.take(Int32.self, count: channels)
        offset.update(repeating: 0, count: channels)
        let weights = constants.take(Int8.self, count: 49 * channels)
        try model.weights(name + ".weight", count: 49 * channels, into: weights)
        return Depthwise(
            channels: channels, weights: weights, offset: offset, scale: try floats(name + ".scale", count: channels),
            bias: try floats(name + ".bias", count: channels))
    }

    public func parameter(_ name: String, rows: Int, columns: Int) throws(Fault) -> Matrix {
        Matrix(try floats(name, count: rows * columns), rows: rows, columns: columns)
    }
}
