import Kernels

/// Mask logits at the picture's own size, a row at a time: enlarged to the padded network input, cropped, resized to the
/// picture, in that order, as the original does.
struct MaskEnlarger {
    let maskSize: Size
    /// The network's input without padding.
    let inner: Size
    let output: Size
    private let networkRows, networkColumns, outputRows, outputColumns: UnsafePointer<BilinearTap>

    /// - Parameters:
    ///   - output: the picture's size; `inner` again for rows at the network's own size.
    ///   - arithmetic: whose scratch memory it lives in.
    init<A: Arithmetic>(maskSize: Size, padded: Size, inner: Size, output: Size, _ arithmetic: A) {
        self.maskSize = maskSize
        self.inner = inner
        self.output = output
        networkRows = arithmetic.taps(inner.height, from: maskSize.height, to: padded.height)
        networkColumns = arithmetic.taps(inner.width, from: maskSize.width, to: padded.width)
        outputRows = arithmetic.taps(output.height, from: inner.height, to: output.height)
        outputColumns = arithmetic.taps(output.width, from: inner.width, to: output.width)
    }

    /// Floats of scratch that `rows` needs.
    var scratchCount: Int { 2 * inner.width + output.width }

    /// Calls `body` with each row of `range` of the enlarged `mask` (maskSize, row-major).
    @inline(__always)
    func rows(_ range: Range<Int>, of mask: UnsafePointer<Float>, scratch: UnsafeMutablePointer<Float>, _ body: (Int, UnsafePointer<Float>) -> Void) {
        var above = scratch, below = scratch + inner.width
        let result = scratch + 2 * inner.width
        var aboveIndex = -1, belowIndex = -1
        for row in range {
            let lower = outputRows[row].lower, upper = outputRows[row].upper
            if aboveIndex != lower {
                if belowIndex == lower {
                    swap(&above, &below)
                    swap(&aboveIndex, &belowIndex)
                } else {
                    networkRow(lower, of: mask, into: above)
                    aboveIndex = lower
                }
            }
            if belowIndex != upper {
                networkRow(upper, of: mask, into: below)
                belowIndex = upper
            }
            blend(above, below, outputRows[row].share, outputColumns, count: output.width, into: result)
            body(row, result)
        }
    }

    private func networkRow(_ row: Int, of mask: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>) {
        let tap = networkRows[row]
        blend(
            mask + tap.lower * maskSize.width, mask + tap.upper * maskSize.width, tap.share, networkColumns, count: inner.width, into: result)
    }

    /// Bilinear blend of two rows, columns first.
    private func blend(
        _ above: UnsafePointer<Float>, _ below: UnsafePointer<Float>, _ fraction: Float, _ columns: UnsafePointer<BilinearTap>, count: Int,
        into result: UnsafeMutablePointer<Float>
    ) {
        for index in 0..<count {
            let tap = columns[index]
            let top = above[tap.lower] * (1 - tap.share) + above[tap.upper] * tap.share
            let bottom = below[tap.lower] * (1 - tap.share) + below[tap.upper] * tap.share
            result[index] = top * (1 - fraction) + bottom * fraction
        }
    }
}

extension Arithmetic {
    /// What the first `count` pixels of an axis of `output` pixels are blended from, in scratch memory.
    func taps(_ count: Int, from input: Int, to output: Int) -> UnsafePointer<BilinearTap> {
        let taps = scratch(BilinearTap.self, count: count)
        for index in 0..<count { (taps + index).initialize(to: BilinearTap(index, from: input, to: output)) }
        return UnsafePointer(taps)
    }
}
