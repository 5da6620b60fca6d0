import CKernels
import CVector
import Kernels

/// One output row of the depthwise 7x7 convolution, eight channels at a time, by the same four-products instruction as the product.
///
/// The seven rows under the filter, and an eighth of zeros, are transposed column by column: a 32-bit lane then holds four rows of one
/// channel, and two registers the whole column. Each column meets its weights once for each of the seven outputs that it touches:
///
///     columns   x-3  x-2  x-1   x   x+1  x+2  x+3
///     output x   0    1    2    3    4    5    6     kx
///
/// Seven sums travel in registers; the oldest is complete when its last column has passed.
@c @implementation
public func fcclip_avx2_depthwise7x7(
    _ x: UnsafePointer<Int8>, _ height: Int, _ width: Int, _ channels: Int, _ weights: UnsafePointer<Int8>, _ row: Int,
    _ y: UnsafeMutablePointer<Int32>
) {
    for channel in stride(from: 0, to: channels, by: 8) {
        if channel + 8 <= channels {
            depthwiseEight(x, height, width, channels, weights, row, y, channel, used: 8)
        } else {
            depthwiseEight(x, height, width, channels, weights, row, y, channel, used: channels - channel)
        }
    }
}

/// Four rows of eight channels, one 32-bit lane a channel: two of these hold a column.
private typealias Column = (upper: __m256i, lower: __m256i)

@inline(__always)
private func depthwiseEight(
    _ x: UnsafePointer<Int8>, _ height: Int, _ width: Int, _ channels: Int, _ weights: UnsafePointer<Int8>, _ row: Int,
    _ y: UnsafeMutablePointer<Int32>, _ channel: Int, used: Int
) {
    var taps = InlineArray<7, Column>(repeating: (AVX2.zero, AVX2.zero))
    for kx in 0..<7 {
        taps[kx] = column(weights + kx * channels + channel, stride: 7 * channels, rows: 0..<7, used: used)
    }
    let rows = max(0, 3 - row)..<min(7, height + 3 - row)
    let origin = x + (row - 3) * width * channels + channel
    // sums[k] belongs to output `position - 3 + k`; this column is its tap 6 - k.
    var sums = InlineArray<7, __m256i>(repeating: AVX2.zero)
    for position in 0..<width + 3 {
        if position < width {
            let pixels = column(origin + position * channels, stride: width * channels, rows: rows, used: used)
            let upper = AVX2.Activations(values: pixels.upper, sizes: _mm256_abs_epi8(pixels.upper))
            let lower = AVX2.Activations(values: pixels.lower, sizes: _mm256_abs_epi8(pixels.lower))
            for k in 0..<7 {
                AVX2.multiplyAdd(&sums[k], upper, taps[6 - k].upper)
                AVX2.multiplyAdd(&sums[k], lower, taps[6 - k].lower)
            }
        }
        if position >= 3 { AVX2.store(sums[0], y + (position - 3) * channels + channel, count: used) }
        for k in 0..<6 { sums[k] = sums[k + 1] }
        sums[6] = AVX2.zero
    }
}

/// Rows `rows` (of 0...7, the others zero) of `used` channels (1...8, the others zero), `stride` bytes apart, transposed.
@inline(__always)
private func column(_ pointer: UnsafePointer<Int8>, stride: Int, rows: Range<Int>, used: Int) -> Column {
    var eight = InlineArray<8, __m128i>(repeating: __m128i(repeating: 0))
    for row in 0..<7 where rows.contains(row) {
        let source = pointer + row * stride
        if used == 8 {
            eight[row] = __m128i(UnsafeRawPointer(source).loadUnaligned(as: Int64.self), 0)
        } else {
            var bytes: Int64 = 0
            for channel in 0..<used { bytes |= Int64(UInt8(bitPattern: source[channel])) << Int64(channel * 8) }
            eight[row] = __m128i(bytes, 0)
        }
    }
    return (four(eight[0], eight[1], eight[2], eight[3]), four(eight[4], eight[5], eight[6], eight[7]))
}

@inline(__always)
private func four(_ a: __m128i, _ b: __m128i, _ c: __m128i, _ d: __m128i) -> __m256i {
    let ab = _mm_unpacklo_epi8(a, b), cd = _mm_unpacklo_epi8(c, d)
    return _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd))
}
