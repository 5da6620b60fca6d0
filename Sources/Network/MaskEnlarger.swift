import Kernels

/// Where the pixels of a bilinear resize come from (half-pixel centres, no antialiasing), along one axis.
struct ResizeTaps {
    let lower: [Int]
    let upper: [Int]
    /// Share of `upper`, 0...1.
    let fraction: [Float]

    /// Taps of the first `count` of `output` pixels from `input` pixels.
    init(from input: Int, to output: Int, count: Int) {
        let scale = Float(input) / Float(output)
        var lower: [Int] = [], upper: [Int] = [], fraction: [Float] = []
        for index in 0..<count {
            let source = max((Float(index) + 0.5) * scale - 0.5, 0)
            let below = min(Int(source), input - 1)
            lower.append(below)
            upper.append(min(below + 1, input - 1))
            fraction.append(min(max(source - Float(below), 0), 1))
        }
        self.lower = lower
        self.upper = upper
        self.fraction = fraction
    }
}

/// Mask logits at the picture's own size, a row at a time: enlarged to the padded network input, cropped, resized to the
/// picture, in that order, as the original does.
struct MaskEnlarger {
    let maskSize: Size
    /// The network's input without padding.
    let inner: Size
    let output: Size
    private let networkRows, networkColumns, outputRows, outputColumns: ResizeTaps

    /// - Parameter output: the picture's size; `inner` again for rows at the network's own size.
    init(maskSize: Size, padded: Size, inner: Size, output: Size) {
        self.maskSize = maskSize
        self.inner = inner
        self.output = output
        networkRows = ResizeTaps(from: maskSize.height, to: padded.height, count: inner.height)
        networkColumns = ResizeTaps(from: maskSize.width, to: padded.width, count: inner.width)
        outputRows = ResizeTaps(from: inner.height, to: output.height, count: output.height)
        outputColumns = ResizeTaps(from: inner.width, to: output.width, count: output.width)
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
            let lower = outputRows.lower[row], upper = outputRows.upper[row], fraction = outputRows.fraction[row]
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
            blend(above, below, fraction, outputColumns, count: output.width, into: result)
            body(row, result)
        }
    }

    private func networkRow(_ row: Int, of mask: UnsafePointer<Float>, into result: UnsafeMutablePointer<Float>) {
        blend(
            mask + networkRows.lower[row] * maskSize.width, mask + networkRows.upper[row] * maskSize.width,
            networkRows.fraction[row], networkColumns, count: inner.width, into: result)
    }

    /// Bilinear blend of two rows, columns first.
    private func blend(
        _ above: UnsafePointer<Float>, _ below: UnsafePointer<Float>, _ fraction: Float, _ columns: ResizeTaps, count: Int,
        into result: UnsafeMutablePointer<Float>
    ) {
        columns.lower.withUnsafeBufferPointer { lower in
            columns.upper.withUnsafeBufferPointer { upper in
                columns.fraction.withUnsafeBufferPointer { share in
                    for index in 0..<count {
                        let left = lower[index], right = upper[index], weight = share[index]
                        let top = above[left] * (1 - weight) + above[right] * weight
                        let bottom = below[left] * (1 - weight) + below[right] * weight
                        result[index] = top * (1 - fraction) + bottom * fraction
                    }
                }
            }
        }
    }
}
