import Kernels

/// Mask logits at the picture's own size, one row at a time.
///
/// As in the original, masks are upsampled to the padded network input, cropped and resized to the picture, in this
/// order.
struct MaskUpsampler {
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
    var scratchCount: Int { inner.width + 3 * output.width }

    /// The axes as the panoptic argmax reads them.
    var vertical: PanopticArgmax.Axis { PanopticArgmax.Axis(picture: outputRows, network: networkRows) }
    var horizontal: PanopticArgmax.Axis { PanopticArgmax.Axis(picture: outputColumns, network: networkColumns) }

    /// Calls `body` with each row of `range` of the upsampled `mask` (row-major, `maskSize`).
    ///
    /// - Parameter scratch: `scratchCount` floats.
    @inline(__always)
    func rows(_ range: Range<Int>, of mask: UnsafePointer<Float>, scratch: UnsafeMutablePointer<Float>, _ body: (Int, UnsafePointer<Float>) -> Void) {
        var above = scratch
        var below = above + output.width
        let result = below + output.width
        let line = result + output.width
        var aboveIndex = -1
        var belowIndex = -1
        for row in range {
            let tap = outputRows[row]
            if aboveIndex != tap.lower {
                if belowIndex == tap.lower {
                    swap(&above, &below)
                    swap(&aboveIndex, &belowIndex)
                } else {
                    networkRow(tap.lower, of: mask, line: line, into: above)
                    aboveIndex = tap.lower
                }
            }
            if belowIndex != tap.upper {
                networkRow(tap.upper, of: mask, line: line, into: below)
                belowIndex = tap.upper
            }
            for column in 0..<output.width { result[column] = above[column] * (1 - tap.fraction) + below[column] * tap.fraction }
            body(row, result)
        }
    }

    /// A row of the network's input, blended to the output's columns.
    private func networkRow(_ row: Int, of mask: UnsafePointer<Float>, line: UnsafeMutablePointer<Float>, into result: UnsafeMutablePointer<Float>) {
        let tap = networkRows[row]
        let above = mask + tap.lower * maskSize.width
        let below = mask + tap.upper * maskSize.width
        for column in 0..<inner.width {
            line[column] = blend(above, networkColumns[column]) * (1 - tap.fraction) + blend(below, networkColumns[column]) * tap.fraction
        }
        for column in 0..<output.width { result[column] = blend(line, outputColumns[column]) }
    }

    @inline(__always)
    private func blend(_ line: UnsafePointer<Float>, _ tap: BilinearTap) -> Float {
        line[tap.lower] * (1 - tap.fraction) + line[tap.upper] * tap.fraction
    }
}

extension Arithmetic {
    /// The source pixels and weights of the first `count` pixels of an axis that is resized from `input` to `output`
    /// pixels, in scratch memory.
    func taps(_ count: Int, from input: Int, to output: Int) -> UnsafePointer<BilinearTap> {
        let taps = scratch(BilinearTap.self, count: count)
        compute {
            for index in 0..<count { (taps + index).initialize(to: BilinearTap(index, from: input, to: output)) }
        }
        return UnsafePointer(taps)
    }
}
