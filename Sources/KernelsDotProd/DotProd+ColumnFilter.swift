import CSIMD
import Kernels

/// Rows transposed four by four: a 32-bit lane holds four rows of one channel, which `sdot` adds to the channel's sum.
extension DotProd: ColumnFilter {
    /// Four rows of eight channels.
    typealias Half = (SIMD16<Int8>, SIMD16<Int8>)

    typealias Row = SIMD8<Int8>

    @inline(__always)
    static func start(_ taps: InlineArray<7, Column>) -> (SIMD4<Int32>, SIMD4<Int32>) { (.zero, .zero) }

    @inline(__always)
    static func column(_ rows: InlineArray<8, SIMD8<Int8>>) -> (upper: Half, lower: Half) {
        (four(rows[0], rows[1], rows[2], rows[3]), four(rows[4], rows[5], rows[6], rows[7]))
    }

    @inline(__always)
    private static func four(_ a: SIMD8<Int8>, _ b: SIMD8<Int8>, _ c: SIMD8<Int8>, _ d: SIMD8<Int8>) -> Half {
        let ab = vreinterpretq_s16_s8(vzip1q_s8(wide(a), wide(b)))
        let cd = vreinterpretq_s16_s8(vzip1q_s8(wide(c), wide(d)))
        return (vreinterpretq_s8_s16(vzip1q_s16(ab, cd)), vreinterpretq_s8_s16(vzip2q_s16(ab, cd)))
    }

    @inline(__always)
    private static func wide(_ row: SIMD8<Int8>) -> SIMD16<Int8> {
        SIMD16(lowHalf: row, highHalf: .zero)
    }

    @inline(__always)
    static func multiplyAdd(
        _ sums: inout (SIMD4<Int32>, SIMD4<Int32>), _ pixels: (upper: Half, lower: Half), _ taps: (upper: Half, lower: Half)
    ) {
        sums.0 = vdotq_s32(vdotq_s32(sums.0, pixels.upper.0, taps.upper.0), pixels.lower.0, taps.lower.0)
        sums.1 = vdotq_s32(vdotq_s32(sums.1, pixels.upper.1, taps.upper.1), pixels.lower.1, taps.lower.1)
    }

    @inline(__always)
    static func store(_ sums: (SIMD4<Int32>, SIMD4<Int32>), _ pointer: UnsafeMutablePointer<Int32>, count: Int) {
        storeLanes(sums.0, pointer, columns: count)
        storeLanes(sums.1, pointer + 4, columns: count - 4)
    }
}
