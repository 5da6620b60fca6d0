import CSIMD
import Kernels

/// The same multiply-add of four bytes as in the GEMM: a 32-bit lane holds four rows of one channel, and two registers hold the column.
extension AVX2: ColumnFilter {
    typealias Row = SIMD8<Int8>

    @inline(__always)
    static func start(_ taps: InlineArray<7, Column>) -> __m256i { zero }

    @inline(__always)
    static func column(_ rows: InlineArray<8, SIMD8<Int8>>) -> (upper: __m256i, lower: __m256i) {
        (four(rows[0], rows[1], rows[2], rows[3]), four(rows[4], rows[5], rows[6], rows[7]))
    }

    @inline(__always)
    private static func four(_ a: SIMD8<Int8>, _ b: SIMD8<Int8>, _ c: SIMD8<Int8>, _ d: SIMD8<Int8>) -> __m256i {
        let ab = _mm_unpacklo_epi8(wide(a), wide(b))
        let cd = _mm_unpacklo_epi8(wide(c), wide(d))
        return _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd))
    }

    @inline(__always)
    private static func wide(_ row: SIMD8<Int8>) -> __m128i {
        __m128i(unsafeBitCast(row, to: Int64.self), 0)
    }

    @inline(__always)
    static func multiplyAdd(_ sums: inout __m256i, _ pixels: (upper: __m256i, lower: __m256i), _ taps: (upper: __m256i, lower: __m256i)) {
        multiplyAdd(&sums, activations(pixels.upper), taps.upper)
        multiplyAdd(&sums, activations(pixels.lower), taps.lower)
    }

    @inline(__always)
    static func store(_ sums: __m256i, _ pointer: UnsafeMutablePointer<Int32>, count: Int) {
        storeLanes(unsafeBitCast(sums, to: SIMD8<Int32>.self), pointer, columns: count)
    }
}
