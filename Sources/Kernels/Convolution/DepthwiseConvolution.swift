// Depthwise 7x7 convolution: every channel has its own 7x7 filter.
//
//   output(r, x) reads        kx 0 . . 3 . . 6
//                       ky 0     r-3, x-3 ... r-3, x+3
//                          :            r, x
//                          6     r+3, x-3 ... r+3, x+3      weights[ky * 7 + kx][channel]
//
// Positions outside the map contribute nothing.

/// One output row of a depthwise 7x7 convolution with stride 1 and padding 3.
///
/// - Parameters:
///   - x: the map, `size.area` rows of `channels` values.
///   - weights: `[49][channels]`, the taps row-major.
///   - bias: `channels` values.
///   - row: the output row, `0..<size.height`.
///   - y: `[size.width][channels]`. Each sum starts from the bias and adds the taps in their order.
public func depthwise7x7(
    _ x: Matrix, size: Size, weights: UnsafePointer<Float>, bias: UnsafePointer<Float>, row: Int, into y: UnsafeMutablePointer<Float>
) {
    let channels = x.columns
    // All columns of one group of channels, then the next group: its weights stay in the first-level cache.
    forEachGroup(channels) { start in
        for column in 0..<size.width {
            var total = load(bias + start)
            forEachTap(size, row: row, column: column) { tap, pixel in
                total += load(x.base + (pixel &* channels &+ start)) * load(weights + (tap &* channels &+ start))
            }
            store(total, y + (column * channels + start))
        }
    } rest: { start, count in
        for column in 0..<size.width {
            for channel in start..<start + count {
                var total = bias[channel]
                forEachTap(size, row: row, column: column) { tap, pixel in
                    total += x.base[pixel * channels + channel] * weights[tap * channels + channel]
                }
                y[column * channels + channel] = total
            }
        }
    }
}

/// One output row of the int8 depthwise 7x7 convolution: sums of products of values (zero point 0) and weights, no bias.
public struct Depthwise7x7 {
    /// `[height][width][channels]`.
    public let x: UnsafePointer<Int8>
    public let height, width, channels: Int
    /// `[49][channels]`, -127...127, the taps row-major.
    public let weights: UnsafePointer<Int8>
    /// The output row, `0..<height`.
    public let row: Int
    /// `[width][channels]`.
    public let sums: UnsafeMutablePointer<Int32>

    @inlinable
    public init(
        _ x: UnsafePointer<Int8>, height: Int, width: Int, channels: Int, weights: UnsafePointer<Int8>, row: Int, into sums: UnsafeMutablePointer<Int32>
    ) {
        (self.x, self.height, self.width, self.channels, self.weights, self.row, self.sums) = (x, height, width, channels, weights, row, sums)
    }

    func performReference() {
        let size = Size(height: height, width: width)
        for column in 0..<width {
            let out = sums + column * channels
            out.update(repeating: 0, count: channels)
            forEachTap(size, row: row, column: column) { tap, pixel in
                let source = x + pixel * channels
                let taps = weights + tap * channels
                for channel in 0..<channels {
                    out[channel] &+= Int32(source[channel]) &* Int32(taps[channel])
                }
            }
        }
    }
}

/// Calls `body` with each tap (ky * 7 + kx) of output (row, column) that is inside the map, and the pixel it reads.
@inline(__always)
private func forEachTap(_ size: Size, row: Int, column: Int, _ body: (_ tap: Int, _ pixel: Int) -> Void) {
    for ky in max(0, 3 - row)..<min(7, size.height + 3 - row) {
        let start = (row + ky - 3) * size.width
        for kx in max(0, 3 - column)..<min(7, size.width + 3 - column) {
            body(ky * 7 + kx, start + column + kx - 3)
        }
    }
}
