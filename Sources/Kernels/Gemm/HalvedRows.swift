import CSIMD

/// Rows of float32 values as 16-bit integers, each in two int8 halves: x = scale * (256 * high + low), the scale for each row. The error is at
/// most 1 / 65,000 of the row's largest value.
///
/// int8 GEMMs of the halves give the product of two such matrices but for that of their low halves, which is as small as the error:
///
///     x w^T = scales * 256 * (256 * high high^T + [high | low] [low | high]^T)
public struct HalvedRows {
    /// `[rows][depth]`, rows `stride` values apart.
    public let x: UnsafePointer<Float>
    public let rows, stride, depth: Int
    /// Which half comes first.
    public let isLowFirst: Bool
    /// `[rows][2][paddedDepth]`, zeros beyond the depth.
    public let halves: UnsafeMutablePointer<Int8>
    /// One for each row; 0 for a row of zeros.
    public let scales: UnsafeMutablePointer<Float>

    @inlinable
    public init(
        _ x: UnsafePointer<Float>, rows: Int, stride: Int, depth: Int, isLowFirst: Bool, into halves: UnsafeMutablePointer<Int8>,
        scales: UnsafeMutablePointer<Float>
    ) {
        (self.x, self.rows, self.stride, self.depth, self.isLowFirst, self.halves, self.scales) = (x, rows, stride, depth, isLowFirst, halves, scales)
    }

    /// Bytes of each half of a row.
    @inlinable
    public static func paddedDepth(_ depth: Int) -> Int { (depth + 15) / 16 * 16 }

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        let padded = Self.paddedDepth(depth)
        for row in 0..<rows {
            let values = x + row * stride
            let bound = largestMagnitude(values, count: depth)
            // The largest value of both halves is 127.
            let isZero = !(bound > 1e-30)
            scales[row] = isZero ? 0 : bound * (1 / 32512)
            let multiplier = isZero ? 0 : 32512 / bound
            let first = halves + row * 2 * padded
            let high = isLowFirst ? first + padded : first
            let low = isLowFirst ? first : first + padded
            forEachGroup(depth) {
                write(load(values + $0), multiplier, high + $0, low + $0)
            } rest: {
                write(load(values + $0, count: $1), multiplier, high + $0, low + $0)
            }
        }
    }

    @usableFromInline @_transparent
    func write(_ values: Lanes, _ multiplier: Float, _ high: UnsafeMutablePointer<Int8>, _ low: UnsafeMutablePointer<Int8>) {
        // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
        let shifted = unsafeBitCast(values * multiplier + 12_582_912, to: Words.self)
        let words = simd_subtract_words(shifted, simd_splat_words(0x4B40_0000))
        store(simd_words_to_bytes(simd_shift_right(simd_add_words(words, simd_splat_words(128)), 8)), high, count: 16)
        store(simd_words_to_bytes(words), low, count: 16)
    }
}
