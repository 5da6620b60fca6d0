/// What the generic tile needs to know of an instruction set whose unit is four products of int8 pairs added to one int32 lane.
public protocol InstructionSet {
    /// One register of sums, one int32 lane a column.
    associatedtype Sums
    /// One register of weights: four consecutive depths for each column.
    associatedtype Weights
    /// Four consecutive depths of one row, ready to meet every column.
    associatedtype Activations

    /// Columns of one register.
    static var lanes: Int { get }
    static var zero: Sums { get }
    static func loadWeights(_ pointer: UnsafePointer<Int8>) -> Weights
    static func loadActivations(_ pointer: UnsafePointer<Int8>) -> Activations
    /// Adds to each lane the sum of its four products; exact for weights of -127...127 and any activations.
    static func multiplyAdd(_ sums: inout Sums, _ activations: Activations, _ weights: Weights)
    /// Writes the first `count` lanes: all of them when it is larger, none when it is negative.
    static func store(_ sums: Sums, _ pointer: UnsafeMutablePointer<Int32>, count: Int)
}

/// One tile of a product: `MR` rows by `NV` registers of columns, its sums in registers for the whole depth.
///
///                    packed panel, one depth step
///                    w0       w1       ...  (NV registers)
///     a row 0  -->   s[0][0]  s[0][1]
///     a row 1  -->   s[1][0]  s[1][1]       s[r][v] += four depths of row r times four depths of each column
///     ...            (MR rows)
@inlinable @inline(__always)
func tile<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ a: UnsafePointer<Int8>, stride: Int, steps: Int, _ panel: UnsafePointer<Int8>, columns: Int,
    into accumulators: UnsafeMutablePointer<Int32>, accumulatorStride: Int, sums: consuming InlineArray<MR, InlineArray<NV, ISA.Sums>>
) {
    var weights = panel
    for step in 0..<steps {
        for row in 0..<MR {
            let activations = ISA.loadActivations(a + row * stride + step * 4)
            for vector in 0..<NV {
                ISA.multiplyAdd(&sums[row][vector], activations, ISA.loadWeights(weights + vector * ISA.lanes * 4))
            }
        }
        weights += NV * ISA.lanes * 4
    }
    for row in 0..<MR {
        let out = accumulators + row * accumulatorStride
        for vector in 0..<NV {
            ISA.store(sums[row][vector], out + vector * ISA.lanes, count: columns - vector * ISA.lanes)
        }
    }
}

/// Names a tile: `rows` rows by `vectors` registers of columns.
public enum TileShape<let rows: Int, let vectors: Int> {}

/// A product by tiles of `MR` rows and `NV` registers; the contract is that of `KernelTable.product`, for the layout
/// `PackedLayout(columnsPerPanel: NV * ISA.lanes, depthStep: 4)`.
///
/// Rows go in blocks that stay in the second-level cache while every panel of the weights passes by; a panel stays in the
/// first-level cache while the block's rows pass by.
@inlinable @inline(__always)
public func tiledProduct<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _: TileShape<MR, NV>.Type,
    _ a: UnsafePointer<Int8>, rows: Int, stride: Int, depth: Int, _ packed: UnsafePointer<Int8>, columns: Int,
    into accumulators: UnsafeMutablePointer<Int32>, accumulatorStride: Int
) {
    let steps = (depth + 3) / 4, width = NV * ISA.lanes, panelBytes = steps * 4 * width
    let zeros = InlineArray<NV, ISA.Sums>(repeating: ISA.zero)
    let block = max(MR, 131_072 / max(depth, 1) / MR * MR)
    for firstRow in Swift.stride(from: 0, to: rows, by: block) {
        let lastRow = min(firstRow + block, rows)
        for column in Swift.stride(from: 0, to: columns, by: width) {
            let panel = packed + column / width * panelBytes
            var row = firstRow
            while row + MR <= lastRow {
                tile(
                    ISA.self, a + row * stride, stride: stride, steps: steps, panel, columns: columns - column,
                    into: accumulators + row * accumulatorStride + column, accumulatorStride: accumulatorStride,
                    sums: InlineArray<MR, _>(repeating: zeros))
                row += MR
            }
            while row < lastRow {
                tile(
                    ISA.self, a + row * stride, stride: stride, steps: steps, panel, columns: columns - column,
                    into: accumulators + row * accumulatorStride + column, accumulatorStride: accumulatorStride,
                    sums: InlineArray<1, _>(repeating: zeros))
                row += 1
            }
        }
    }
}
