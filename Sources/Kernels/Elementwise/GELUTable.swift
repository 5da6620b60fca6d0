import CSIMD

/// GELU to int8 by table: the same bits as the exact function, with a fraction of its operations. It pays where one instruction permutes
/// sixteen lanes.
///
///     gelu(x) = max(x, 0) + t(|x|)        t(a) = a (Phi(a) - 1), negligible beyond 5.4
///
/// 31 cubics approximate t, each through its Chebyshev nodes. The rounded int8 value is certain unless the result is as near to a half as the
/// error of the cubics. A block with such a value (a few in a hundred) is computed again by the exact function.
public struct GELUTable: Sendable {
    /// The largest argument with a nonzero t; cubic 31, which is zero, covers the rest.
    @inlinable static var bound: Float { 5.4 }

    /// The largest difference between the cubics and the exact function.
    @inlinable static var error: Float { 1.5e-6 }

    /// The largest rounding error of both together, for a result of -256...256.
    @inlinable static var rounding: Float { 1e-4 }

    public static let shared = GELUTable()

    /// The coefficients of 1, a, a^2 and a^3, of cubics 0...15 and 16...31.
    @usableFromInline let coefficients: InlineArray<4, (Lanes, Lanes)>

    init() {
        var coefficients = InlineArray<4, (Lanes, Lanes)>(repeating: (splat(0), splat(0)))
        for cubic in 0..<31 {
            let nodes: InlineArray<4, Double> = [-0.46193976625564337, -0.19134171618254489, 0.19134171618254489, 0.46193976625564337]
            // Newton's form, multiplied out from the innermost term.
            var places = InlineArray<4, Double>(repeating: 0)
            var differences = places
            var powers = places
            for node in 0..<4 {
                places[node] = (Double(cubic) + nodes[node]) * Double(Self.bound) / 31
                let a = Float(places[node])
                differences[node] = Double(a) * Double(normalDistribution(a) - 0.5)
            }
            for order in 1..<4 {
                for node in (order..<4).reversed() {
                    differences[node] = (differences[node] - differences[node - 1]) / (places[node] - places[node - order])
                }
            }
            for node in (0..<4).reversed() {
                for power in (1..<4).reversed() { powers[power] = powers[power - 1] - places[node] * powers[power] }
                powers[0] = differences[node] - places[node] * powers[0]
            }
            for power in 0..<4 {
                if cubic < 16 { coefficients[power].0[cubic] = Float(powers[power]) } else { coefficients[power].1[cubic - 16] = Float(powers[power]) }
            }
        }
        self.coefficients = coefficients
    }

    /// gelu(x) * factor + summand by the cubics.
    @usableFromInline @_transparent
    func approximate(_ x: Lanes, _ factor: Lanes, _ summand: Lanes) -> Lanes {
        // The magic number's low bits become the number of the nearest cubic.
        let a = simd_smaller_magnitude(x, splat(Self.bound))
        let cubic = unsafeBitCast(simd_fused(a, splat(31 / Self.bound), splat(12_582_912)), to: Words.self)
        var t = coefficient(3, cubic)
        t = simd_fused(t, a, coefficient(2, cubic))
        t = simd_fused(t, a, coefficient(1, cubic))
        t = simd_fused(t, a, coefficient(0, cubic))
        return simd_fused(t, factor, simd_fused(larger(x, splat(0)), factor, summand))
    }

    @usableFromInline @_transparent
    func coefficient(_ power: Int, _ cubic: Words) -> Lanes {
        simd_permute_two(coefficients[power].0, coefficients[power].1, cubic)
    }

    /// Writes the GELU of four rows of sixteen sums as an `Epilogue` does.
    ///
    /// - Returns: whether a value is in doubt.
    @usableFromInline @_transparent
    func write(
        _ sums: UnsafePointer<Int32>, sumsStride: Int, offset: Words, scale: Lanes, bias: Lanes, multiplier: Lanes, zeroPoint: Int32,
        _ y: UnsafeMutablePointer<Int8>, stride: Int
    ) -> Bool {
        // With 768 added, a result of -256...256 is a fixed-point number: the last bit of a float of 512...1024 is 2^-14.
        let zero = splat(Float(zeroPoint) + 768)
        let a = fixed(sums, offset, scale, bias, multiplier, zero)
        let b = fixed(sums + sumsStride, offset, scale, bias, multiplier, zero)
        let c = fixed(sums + 2 * sumsStride, offset, scale, bias, multiplier, zero)
        let d = fixed(sums + 3 * sumsStride, offset, scale, bias, multiplier, zero)
        // With a margin above a half, every value is in doubt.
        let margin = simd_lanes_to_words(smaller(multiplier * (Self.error * 16384) + (Self.rounding * 16384 + 1), splat(16384)))
        let half = simd_splat_words(8192 - 0x4440_0000)
        let above = simd_add_words(half, margin)
        let below = simd_subtract_words(half, margin)
        store(a, above, y)
        store(b, above, y + stride)
        store(c, above, y + 2 * stride)
        store(d, above, y + 3 * stride)
        // Bits that differ if the integers differ, or the exponents.
        let none = simd_splat_words(0)
        let exponent = simd_splat_words(0x4400_0000)
        let whole = simd_differ(simd_differ(simd_differ(simd_differ(none, a, above, below), b, above, below), c, above, below), d, above, below)
        let outside = simd_or_differ(simd_or_differ(simd_or_differ(simd_or_differ(none, a, exponent), b, exponent), c, exponent), d, exponent)
        return simd_any(
            simd_or_words(simd_and_words(whole, simd_splat_words(~0x3FFF)), simd_and_words(outside, simd_splat_words(~0x7F_FFFF))))
    }

    /// The results before rounding, as bits.
    @usableFromInline @_transparent
    func fixed(_ sums: UnsafePointer<Int32>, _ offset: Words, _ scale: Lanes, _ bias: Lanes, _ multiplier: Lanes, _ zero: Lanes) -> Words {
        let x = converted(simd_add_words(load(sums, count: 16), offset)) * scale + bias
        return unsafeBitCast(approximate(x, multiplier, zero), to: Words.self)
    }

    @usableFromInline @_transparent
    func store(_ x: Words, _ above: Words, _ y: UnsafeMutablePointer<Int8>) {
        Kernels.store(simd_words_to_nearest_bytes(simd_shift_right(simd_add_words(x, above), 14)), y, count: 16)
    }
}

extension Epilogue {
    /// GELU of sums to int8 without a residual or position terms: by the table; blocks in doubt by the exact function.
    @inlinable @inline(__always)
    func performByTable<Registers>(
        _ sums: UnsafePointer<Int32>, _ offset: UnsafePointer<Int32>, _ scale: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Int8>, _ stride: Int,
        _ multiplier: UnsafePointer<Float>, _ zeroPoint: Int32, _ registers: Registers.Type
    ) {
        let gelu = GELUTable.shared
        // 64 times 64 values are 64 blocks, one bit each.
        for top in Swift.stride(from: rows.lowerBound, to: rows.upperBound, by: 64) {
            for left in Swift.stride(from: columns.lowerBound, to: columns.upperBound, by: 64) {
                let bottom = min(top + 64, rows.upperBound)
                let right = min(left + 64, columns.upperBound)
                var doubts: UInt64 = 0
                var bit: UInt64 = 1
                for row in Swift.stride(from: top, to: bottom, by: 4) {
                    for column in Swift.stride(from: left, to: right, by: 16) {
                        let isWhole = row + 4 <= bottom && column + 16 <= right
                        if !isWhole
                            || gelu.write(
                                sums + ((row - rows.lowerBound) * valuesStride + column - columns.lowerBound), sumsStride: valuesStride,
                                offset: load(offset + column, count: 16), scale: load(scale + column), bias: load(bias + column),
                                multiplier: load(multiplier + column), zeroPoint: zeroPoint, y + (row * stride + column), stride: stride)
                        {
                            doubts |= bit
                        }
                        bit <<= 1
                    }
                }
                while doubts != 0 {
                    let index = doubts.trailingZeroBitCount
                    let across = (right - left + 15) / 16
                    let row = top + index / across * 4
                    let column = left + index % across * 16
                    var block = self
                    block.values = .sums(
                        sums + ((row - rows.lowerBound) * valuesStride + column - columns.lowerBound), offset: offset, scale: scale)
                    block.rows = row..<min(row + 4, bottom)
                    block.columns = column..<min(column + 16, right)
                    block.performApart(registers)
                    doubts &= doubts - 1
                }
            }
        }
    }

    /// Not inlined: with one more inlined copy, the compiler would inline less of it everywhere.
    @inlinable @inline(never)
    func performApart<Registers>(_ registers: Registers.Type) { performExactly(registers) }
}
