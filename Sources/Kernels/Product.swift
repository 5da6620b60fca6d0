// Products of int8 rows and int8 weights, summed in int32.

/// How a path wants the weights: panels of columns, inside a panel groups of consecutive depth.
///
///     packed[panel][depth / depthStep][column in panel][depthStep]      zero beyond the last column and the last depth
///
/// Where activations become unsigned by `activationOffset`, a panel begins with what that costs its columns:
/// `columnsPerPanel` times Int32, -activationOffset * sum of the column's weights.
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
    /// `c / columnsPerPanel * panelBytes(depth:)`, so that a product may start there.
    @inlinable
    public func byteCount(columns: Int, depth: Int) -> Int {
        (columns + columnsPerPanel - 1) / columnsPerPanel * panelBytes(depth: depth)
    }
}

/// Packs `weights`, `[columns][depth]` row-major with values of -127...127, into `packed` (`layout.byteCount` bytes).
public func packWeights(_ weights: UnsafePointer<Int8>, columns: Int, depth: Int, layout: PackedLayout, into packed: UnsafeMutablePointer<Int8>) {
    let width = layout.columnsPerPanel, step = layout.depthStep, padded = layout.padded(depth)
    var out = packed
    for panel in stride(from: 0, to: columns, by: width) {
        if layout.activationOffset != 0 {
            for column in panel..<panel + width {
                var sum: Int32 = 0
                if column < columns { for k in 0..<depth { sum &+= Int32(weights[column * depth + k]) } }
                UnsafeMutableRawPointer(out).storeBytes(of: 0 &- layout.activationOffset &* sum, as: Int32.self)
                out += 4
            }
        }
        for group in stride(from: 0, to: padded, by: step) {
            for column in panel..<panel + width {
                for k in group..<group + step {
                    out.pointee = column < columns && k < depth ? weights[column * depth + k] : 0
                    out += 1
                }
            }
        }
    }
}

/// The reference product over weights packed in any layout: accumulators[r][c] = sum over k of a[r][k] * weights[c][k].
///
/// - Parameters:
///   - a: `rows` rows of `depth` values, `stride` bytes apart.
///   - accumulators: `[rows][accumulatorStride]`, of which the first `columns` are written. Sums wrap.
public func product(
    _ a: UnsafePointer<Int8>, rows: Int, stride: Int, depth: Int, _ packed: UnsafePointer<Int8>, layout: PackedLayout, columns: Int,
    into accumulators: UnsafeMutablePointer<Int32>, accumulatorStride: Int
) {
    let width = layout.columnsPerPanel, step = layout.depthStep, panelBytes = layout.panelBytes(depth: depth)
    for row in 0..<rows {
        let source = a + row * stride
        for column in 0..<columns {
            let panel = packed + column / width * panelBytes + layout.headerBytes + column % width * step
            var total: Int32 = 0
            for k in 0..<depth {
                total &+= Int32(source[k]) &* Int32(panel[k / step * step * width + k % step])
            }
            accumulators[row * accumulatorStride + column] = total
        }
    }
}
