import CSIMD
import Kernels

/// Rows in pairs, interleaved byte by byte: their products are neighbours, which `sadalp` adds to a channel's sum.
extension NEON: ColumnFilter {
    /// Eight channels of rows 0 and 1, 2 and 3, 4 and 5, 6 and 7.
    typealias Column = (SIMD16<Int8>, SIMD16<Int8>, SIMD16<Int8>, SIMD16<Int8>)

    typealias Row = SIMD8<Int8>

    @inline(__always)
    static func start(_ taps: InlineArray<7, Column>) -> (SIMD4<Int32>, SIMD4<Int32>) { (.zero, .zero) }

    @inline(__always)
    static func column(_ rows: InlineArray<8, SIMD8<Int8>>) -> Column {
        (pair(rows[0], rows[1]), pair(rows[2], rows[3]), pair(rows[4], rows[5]), pair(rows[6], rows[7]))
    }

    @inline(__always)
    private static func pair(_ a: SIMD8<Int8>, _ b: SIMD8<Int8>) -> SIMD16<Int8> {
        vcombine_s8(vzip1_s8(a, b), vzip2_s8(a, b))
    }

    @inline(__always)
    static func multiplyAdd(_ sums: inout (SIMD4<Int32>, SIMD4<Int32>), _ pixels: Column, _ taps: Column) {
        fourRows(&sums, pixels.0, taps.0, pixels.1, taps.1)
        fourRows(&sums, pixels.2, taps.2, pixels.3, taps.3)
    }

    @inline(__always)
    private static func fourRows(
        _ sums: inout (SIMD4<Int32>, SIMD4<Int32>), _ pixels: SIMD16<Int8>, _ taps: SIMD16<Int8>, _ pixels2: SIMD16<Int8>, _ taps2: SIMD16<Int8>
    ) {
        let low = vmlal_s8(vmull_s8(vget_low_s8(pixels), vget_low_s8(taps)), vget_low_s8(pixels2), vget_low_s8(taps2))
        let high = vmlal_high_s8(vmull_high_s8(pixels, taps), pixels2, taps2)
        sums = (vpadalq_s16(sums.0, low), vpadalq_s16(sums.1, high))
    }

    @inline(__always)
    static func store(_ sums: (SIMD4<Int32>, SIMD4<Int32>), _ pointer: UnsafeMutablePointer<Int32>, count: Int) {
        let eight = SIMD8<Int32>(lowHalf: sums.0, highHalf: sums.1)
        storeLanes(eight, pointer, columns: count)
    }
}
