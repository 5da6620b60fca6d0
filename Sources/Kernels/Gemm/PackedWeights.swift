import CSIMD

/// The layout of a GEMM's int8 weights: panels of columns, and within a panel groups of consecutive values along K (the depth).
///
///     packed[panel][depth / depthStep][column in panel][depthStep]      zero beyond the last column and the last depth
///
/// If activations have an `activationOffset`, a panel begins with the compensation of its columns:
/// `columnsPerPanel` Int32 values, -activationOffset * sum of the column's weights.
public struct PackedLayout: Equatable, Sendable {
    public let columnsPerPanel: Int
    public let depthStep: Int
    /// The depth is padded with zeros to a multiple of this, itself a multiple of `depthStep`.
    public let depthBlock: Int
    /// 0, or 128 for instructions that multiply unsigned by signed bytes.
    public let activationOffset: Int32

    @inlinable
    public init(columnsPerPanel: Int, depthStep: Int, depthBlock: Int? = nil, activationOffset: Int32 = 0) {
        self.columnsPerPanel = columnsPerPanel
        self.depthStep = depthStep
        self.depthBlock = depthBlock ?? depthStep
        self.activationOffset = activationOffset
    }

    /// Bytes of a panel before its weights.
    @inlinable
    public var headerBytes: Int {
        activationOffset == 0 ? 0 : columnsPerPanel * 4
    }

    /// `depth` rounded up to whole blocks.
    @inlinable
    public func padded(_ depth: Int) -> Int {
        (depth + depthBlock - 1) / depthBlock * depthBlock
    }

    /// Bytes of one panel.
    @inlinable
    public func panelBytes(depth: Int) -> Int {
        headerBytes + padded(depth) * columnsPerPanel
    }

    /// Bytes of packed weights. The panel of column `c`, a multiple of `columnsPerPanel`, begins at
    /// `c / columnsPerPanel * panelBytes(depth:)`, so that a GEMM may start there.
    @inlinable
    public func byteCount(columns: Int, depth: Int) -> Int {
        (columns + columnsPerPanel - 1) / columnsPerPanel * panelBytes(depth: depth)
    }

    /// The position of the weight `position` (0..<depth) of a column among packed weights, in bytes.
    @inlinable
    public func offset(column: Int, position: Int, depth: Int) -> Int {
        let (panel, own) = column.quotientAndRemainder(dividingBy: columnsPerPanel)
        let group = position / depthStep * depthStep
        return panel * panelBytes(depth: depth) + headerBytes + group * columnsPerPanel + own * depthStep + position - group
    }
}

/// Packs weights into `packed` (`layout.byteCount` bytes), -128 as -127: instruction sets that add products in pairs of 16 bits need this.
///
/// - Parameters:
///   - weights: weight `k` of column `c` is at `c * columnStride + k * depthStride`; row-major `[columns][depth]` by default.
public func packWeights(
    _ weights: UnsafePointer<Int8>, columns: Int, depth: Int, columnStride: Int? = nil, depthStride: Int = 1, layout: PackedLayout,
    into packed: UnsafeMutablePointer<Int8>
) {
    let width = layout.columnsPerPanel
    let step = layout.depthStep
    let panelBytes = layout.panelBytes(depth: depth)
    let columnStride = columnStride ?? depth
    for first in stride(from: 0, to: columns, by: width) {
        let own = min(width, columns - first)
        let panel = packed + first / width * panelBytes
        let source = weights + first * columnStride
        panel.update(repeating: 0, count: own == width && layout.padded(depth) == depth ? layout.headerBytes : panelBytes)
        if layout.activationOffset != 0 {
            writeCosts(source, columns: own, depth: depth, columnStride, depthStride, offset: layout.activationOffset, into: panel)
        }
        for group in stride(from: 0, to: depth, by: step) {
            let from = source + group * depthStride
            let to = panel + (layout.headerBytes + group * width)
            let count = min(step, depth - group)
            // The usual strides by vectors or words: attention packs its keys and values at every frame.
            if count == 4, depthStride == 1 {
                for column in 0..<own { packWord(from + column &* columnStride, into: to + column &* step) }
            } else if count == 4, step == 4, columnStride == 1 {
                packRows(from, depthStride, columns: own, into: to)
            } else {
                for column in 0..<own {
                    for k in 0..<count { to[column &* step &+ k] = max(from[column &* columnStride &+ k &* depthStride], -127) }
                }
            }
        }
    }
}

/// Writes -`offset` times the sum of each column's weights.
private func writeCosts(
    _ weights: UnsafePointer<Int8>, columns: Int, depth: Int, _ columnStride: Int, _ depthStride: Int, offset: Int32,
    into panel: UnsafeMutablePointer<Int8>
) {
    panel.withMemoryRebound(to: Int32.self, capacity: columns) { sums in
        // The inner loop follows the order of the memory.
        if depthStride == 1 {
            for column in 0..<columns {
                let own = weights + column &* columnStride
                for k in 0..<depth { sums[column] &+= Int32(max(own[k], -127)) }
            }
        } else {
            for k in 0..<depth {
                let row = weights + k &* depthStride
                for column in 0..<columns { sums[column] &+= Int32(max(row[column &* columnStride], -127)) }
            }
        }
        for column in 0..<columns { sums[column] = 0 &- offset &* sums[column] }
    }
}

/// Four consecutive weights of one column.
@inline(__always)
private func packWord(_ weights: UnsafePointer<Int8>, into packed: UnsafeMutablePointer<Int8>) {
    let word = UnsafeRawPointer(weights).loadUnaligned(as: UInt32.self)
    let flipped = word ^ 0x8080_8080
    // The high bit of the bytes that were -128, which are zero now.
    let lowest = ~((flipped & 0x7F7F_7F7F) &+ 0x7F7F_7F7F | flipped) & 0x8080_8080
    UnsafeMutableRawPointer(packed).storeBytes(of: word &+ (lowest >> 7), as: UInt32.self)
}

/// Four consecutive weights of each column, in rows `stride` apart.
private func packRows(_ weights: UnsafePointer<Int8>, _ stride: Int, columns: Int, into packed: UnsafeMutablePointer<Int8>) {
    @inline(__always) func load(_ row: Int, _ column: Int) -> SIMD16<Int8> {
        UnsafeRawPointer(weights + (row &* stride &+ column)).loadUnaligned(as: SIMD16<Int8>.self)
    }
    var column = 0
    while column + 16 <= columns {
        let four = simd_interleave_four(load(0, column), load(1, column), load(2, column), load(3, column), -127)
        UnsafeMutableRawPointer(packed + 4 * column).storeBytes(of: four, as: SIMD64<Int8>.self)
        column += 16
    }
    while column < columns {
        for row in 0..<4 { packed[4 * column + row] = max(weights[row * stride + column], -127) }
        column += 1
    }
}
