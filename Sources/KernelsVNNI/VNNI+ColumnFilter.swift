import CSIMD
import Kernels

/// A 32-bit lane holds four rows of one channel, two registers the column. Adding 128 makes pixels unsigned, also those outside the map.
extension VNNI: ColumnFilter {
    typealias Row = SIMD16<Int8>
    typealias Column = (upper: __m512i, lower: __m512i)

    @inline(__always)
    static func start(_ taps: InlineArray<7, Column>) -> __m512i {
        var excess = zero
        for kx in 0..<7 { multiplyAdd(&excess, outside!, taps[kx]) }
        return _mm512_sub_epi32(zero, excess)
    }

    @inline(__always) static var outside: Column? { (flipped, flipped) }

    @inline(__always) private static var flipped: __m512i { _mm512_set1_epi8(-128) }

    @inline(__always)
    static func column(_ rows: InlineArray<8, SIMD16<Int8>>) -> Column {
        (four(rows[0], rows[1], rows[2], rows[3]), four(rows[4], rows[5], rows[6], rows[7]))
    }

    @inline(__always)
    static func pixels(_ column: Column) -> Column {
        (_mm512_xor_si512(column.upper, flipped), _mm512_xor_si512(column.lower, flipped))
    }

    /// Transposes words of four bytes between the four rows, then the bytes inside each quarter.
    @inline(__always)
    private static func four(_ a: SIMD16<Int8>, _ b: SIMD16<Int8>, _ c: SIMD16<Int8>, _ d: SIMD16<Int8>) -> __m512i {
        let rows = SIMD64<Int8>(lowHalf: SIMD32(lowHalf: a, highHalf: b), highHalf: SIMD32(lowHalf: c, highHalf: d))
        let words = _mm512_permutexvar_epi32(
            unsafeBitCast(SIMD16<Int32>(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), to: __m512i.self),
            unsafeBitCast(rows, to: __m512i.self))
        let bytes = SIMD16<Int8>(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)
        return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(unsafeBitCast(bytes, to: __m128i.self)))
    }

    @inline(__always)
    static func multiplyAdd(_ sums: inout __m512i, _ pixels: Column, _ taps: Column) {
        sums = _mm512_dpbusd_epi32(sums, pixels.upper, taps.upper)
        sums = _mm512_dpbusd_epi32(sums, pixels.lower, taps.lower)
    }

    @inline(__always)
    static func store(_ sums: __m512i, _ pointer: UnsafeMutablePointer<Int32>, count: Int) {
        storeLanes(unsafeBitCast(sums, to: SIMD16<Int32>.self), pointer, columns: count)
    }
}
