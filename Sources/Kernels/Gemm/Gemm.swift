/// One GEMM of int8 rows with packed int8 weights, exact in int32:
///
///     sums[r][c] = sum over t < taps, k < depth of a[r][t][k] * weights[c][t * depth + k]
///
/// K, the number of products in a sum, is `taps * depth`. A row is read in `taps` pieces: one for a plain row, three for the lines under a 3x3
/// convolution, which are read in place. Sums wrap.
public struct Gemm {
    /// `rows` rows, `rowStride` bytes apart. Each piece is readable up to `depth` rounded up to 16; the extra bytes are ignored.
    public let a: UnsafePointer<Int8>
    public let rows, rowStride: Int
    /// K of one tap, at least 1; a multiple of 16 where there are several taps.
    public let depth: Int
    /// At least 1; `tapStride` bytes apart.
    public let taps, tapStride: Int
    /// In the kernel set's `layout`.
    public let packed: UnsafePointer<Int8>
    public let columns: Int
    /// `[rows][sumStride]`, of which the first `columns` of each row are written.
    public let sums: UnsafeMutablePointer<Int32>
    public let sumStride: Int
    /// Room for `scratchCount(depth:taps:)` bytes.
    public let scratch: UnsafeMutablePointer<Int8>

    @inlinable @inline(__always)
    public init(
        _ a: UnsafePointer<Int8>, rows: Int, rowStride: Int, depth: Int, taps: Int = 1, tapStride: Int = 0, packed: UnsafePointer<Int8>, columns: Int,
        into sums: UnsafeMutablePointer<Int32>, sumStride: Int, scratch: UnsafeMutablePointer<Int8>
    ) {
        (self.a, self.rows, self.rowStride, self.depth, self.taps, self.tapStride) = (a, rows, rowStride, depth, taps, tapStride)
        (self.packed, self.columns, self.sums, self.sumStride) = (packed, columns, sums, sumStride)
        self.scratch = scratch
    }

    /// Scratch bytes for one tile, of at most eight rows.
    @inlinable
    public static func scratchCount(depth: Int, taps: Int = 1) -> Int { 8 * stagedBytes(depth: depth, taps: taps) }

    /// Bytes of a row with all its taps one after the other, and of what is written behind the last.
    @inlinable
    static func stagedBytes(depth: Int, taps: Int) -> Int { (taps * ((depth + 15) / 16 * 16) + 79) / 64 * 64 }

    /// The reference, for weights packed in any layout.
    public func performReference(layout: PackedLayout) {
        let width = layout.columnsPerPanel
        let step = layout.depthStep
        let panelBytes = layout.panelBytes(depth: taps * depth)
        for row in 0..<rows {
            for column in 0..<columns {
                let panel = packed + column / width * panelBytes + layout.headerBytes + column % width * step
                var total: Int32 = 0
                for tap in 0..<taps {
                    let source = a + (row * rowStride + tap * tapStride)
                    let weights = panel + tap * depth * width
                    for k in 0..<depth { total &+= Int32(source[k]) &* Int32(weights[k / step * step * width + k % step]) }
                }
                sums[row * sumStride + column] = total
            }
        }
    }
}
