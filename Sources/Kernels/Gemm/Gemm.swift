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
    /// Room for `scratchCount` bytes, aligned to 64.
    public let scratch: UnsafeMutablePointer<Int8>
    /// Whether the last product that used `scratch` had the same rows.
    public let hasStagedRows: Bool
    /// The one that performs it.
    public var core = Core.small

    @inlinable @inline(__always)
    public init(
        _ a: UnsafePointer<Int8>, rows: Int, rowStride: Int, depth: Int, taps: Int = 1, tapStride: Int = 0, packed: UnsafePointer<Int8>, columns: Int,
        into sums: UnsafeMutablePointer<Int32>, sumStride: Int, scratch: UnsafeMutablePointer<Int8>, hasStagedRows: Bool = false
    ) {
        (self.a, self.rows, self.rowStride, self.depth, self.taps, self.tapStride) = (a, rows, rowStride, depth, taps, tapStride)
        (self.packed, self.columns, self.sums, self.sumStride) = (packed, columns, sums, sumStride)
        (self.scratch, self.hasStagedRows) = (scratch, hasStagedRows)
    }

    /// Where a kernel reads the rows.
    @usableFromInline
    struct Source {
        @usableFromInline let base: UnsafePointer<Int8>
        @usableFromInline let stride, tapStride: Int

        @inlinable @inline(__always)
        init(base: UnsafePointer<Int8>, stride: Int, tapStride: Int) { (self.base, self.stride, self.tapStride) = (base, stride, tapStride) }

        @inlinable @inline(__always)
        func advanced(by row: Int) -> Source { Source(base: base + row * stride, stride: stride, tapStride: tapStride) }
    }

    @inlinable @inline(__always) var source: Source { Source(base: a, stride: rowStride, tapStride: tapStride) }

    /// The rows as the instruction set stages them, in scratch memory. Rows with an offset that overlap or adjoin each other stay so.
    @inlinable @inline(__always)
    func staged<ISA: InstructionSet>(_: ISA.Type) -> Source {
        let target = scratch + Gemm.partialBytes
        let padded = Gemm.padded(depth)
        let stride = ISA.stagedRows == 1 ? min(rowStride, padded) : padded
        let tapBytes = Gemm.stagedTapBytes(rows: rows, depth: depth)
        if !hasStagedRows {
            for tap in 0..<taps {
                let (from, to) = (a + tap * tapStride, target + tap * tapBytes)
                if ISA.stagedRows == 1, stride == rowStride {
                    ISA.stage(from, from, count: ((rows - 1) * stride + depth + 15) / 16 * 16, into: to)
                } else {
                    for row in Swift.stride(from: 0, to: rows, by: ISA.stagedRows) {
                        // The last row is its own pair.
                        let second = min(row + ISA.stagedRows - 1, rows - 1)
                        ISA.stage(from + row * rowStride, from + second * rowStride, count: padded, into: to + row * stride)
                    }
                }
            }
        }
        return Source(base: target, stride: stride, tapStride: tapBytes)
    }

    @inlinable static func padded(_ depth: Int) -> Int { (depth + 15) / 16 * 16 }

    /// Room for the rows of one tap, with bytes behind it that kernels may read.
    @inlinable static func stagedTapBytes(rows: Int, depth: Int) -> Int { ((rows + 1) * padded(depth) + 127) / 64 * 64 }

    /// Rows of a block whose sums are kept between pieces of K.
    @inlinable static var blockRows: Int { 96 }
    /// Sums of a block's rows and of three tiles more, of a panel of 64 columns at most.
    @inlinable static var partialBytes: Int { (blockRows + 3 * 8) * 64 * 4 }

    /// Scratch bytes for `rows` rows.
    @inlinable
    public static func scratchCount(rows: Int, depth: Int, taps: Int = 1) -> Int { partialBytes + taps * stagedTapBytes(rows: rows, depth: depth) }

    /// Into how many pieces K is divided, so that a piece of a panel and of a tile's rows stays in the first-level cache.
    @inlinable
    func pieces(rows: Int, columns: Int) -> Int {
        let bytes = taps * depth * (rows + columns)
        // A little more than three quarters is better than two pieces.
        let most = core.firstLevel / 4 * 3
        return bytes <= most + most / 8 ? 1 : (bytes + most - 1) / most
    }

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
