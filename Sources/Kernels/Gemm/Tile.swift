/// What the generic tile needs to know of an instruction set.
///
/// Its unit takes `depth` consecutive depths of `rows` rows and of `lanes` columns, and adds their products to int32 sums.
public protocol InstructionSet {
    /// `rows` by `lanes` sums, in any arrangement.
    associatedtype Sums
    /// `depth` depths for each column.
    associatedtype Weights
    /// `depth` depths of each row, ready to meet every column.
    associatedtype Activations

    static var rows: Int { get }
    static var lanes: Int { get }
    static var depth: Int { get }
    /// `PackedLayout.depthStep` of the weights; divides `depth`, which is their `depthBlock`.
    static var depthStep: Int { get }
    static var zero: Sums { get }
    /// `PackedLayout.activationOffset` of the weights.
    static var activationOffset: Int32 { get }
    /// Sums that begin with the `lanes` times Int32 at `pointer`, which make up for the activations' offset.
    static func sums(_ pointer: UnsafePointer<Int8>) -> Sums
    /// Loads `depth / depthStep` groups of `lanes * depthStep` bytes, `groupStride` bytes apart.
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> Weights
    /// Loads the rows at `pointer`, `stride` bytes apart.
    static func loadActivations(_ pointer: UnsafePointer<Int8>, stride: Int) -> Activations
    /// Adds to each sum its `depth` products; exact for weights of -127...127 and any activations.
    static func multiplyAdd(_ sums: inout Sums, _ activations: Activations, _ weights: Weights)
    /// The same activations, of which the compiler knows nothing any more.
    static func opaque(_ activations: Activations) -> Activations
    /// Writes the first `rows` rows, `stride` sums apart, and of each the first `columns` lanes: all of them when `columns` is larger,
    /// none when it is negative.
    static func store(_ sums: Sums, _ pointer: UnsafeMutablePointer<Int32>, stride: Int, rows: Int, columns: Int)
}

extension InstructionSet {
    @inlinable public static var activationOffset: Int32 { 0 }
    @inlinable public static func sums(_ pointer: UnsafePointer<Int8>) -> Sums { zero }
}

/// One tile of a product: `MR` times `ISA.rows` rows by `NV` times `ISA.lanes` columns, its sums in registers for the whole depth. The panel
/// has `panelLanes` columns, perhaps more. The depth lies in `parts` parts of `steps` times `ISA.depth`, `partStride` bytes apart.
///
///                     packed panel, one step of ISA.depth
///                     w0       w1       ...  (NV)
///     a rows 0  -->   s[0][0]  s[0][1]
///     a rows 1  -->   s[1][0]  s[1][1]       s[r][v] += one step of rows r times one step of columns v
///     ...             (MR)
@inlinable @inline(__always)
func tile<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ a: UnsafePointer<Int8>, stride: Int, rows: Int, steps: Int, parts: Int, partStride: Int, _ panel: UnsafePointer<Int8>,
    panelLanes: Int, columns: Int, into accumulators: UnsafeMutablePointer<Int32>, accumulatorStride: Int,
    sums: consuming InlineArray<MR, InlineArray<NV, ISA.Sums>>
) {
    var weights = panel
    var a = a
    var left = parts
    repeat {
        sums = accumulate(ISA.self, a, stride: stride, rows: rows, steps: steps, weights, panelLanes: panelLanes, sums: sums)
        weights += steps * panelLanes * ISA.depth
        a += partStride
        left -= 1
    } while left > 0
    // The usual case apart, so that its lengths are known.
    if rows == ISA.rows, columns >= NV * ISA.lanes {
        store(ISA.self, sums, rows: ISA.rows, columns: NV * ISA.lanes, into: accumulators, accumulatorStride)
    } else {
        store(ISA.self, sums, rows: rows, columns: columns, into: accumulators, accumulatorStride)
    }
}

/// Writes a tile's sums, of each `ISA.rows` rows the first `rows`, and of each row at most `columns` columns.
@inlinable @inline(__always)
func store<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ sums: InlineArray<MR, InlineArray<NV, ISA.Sums>>, rows: Int, columns: Int,
    into accumulators: UnsafeMutablePointer<Int32>, _ stride: Int
) {
    for row in 0..<MR {
        let out = accumulators + row * ISA.rows * stride
        for vector in 0..<NV {
            ISA.store(sums[row][vector], out + vector * ISA.lanes, stride: stride, rows: rows, columns: columns - vector * ISA.lanes)
        }
    }
}

/// A tile's sums with `steps` times `ISA.depth` more depths, at least one. Apart from `tile`, and by a loop that runs at least once: else the
/// compiler keeps sums in memory or moves them between registers.
@inlinable @inline(__always)
func accumulate<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ a: UnsafePointer<Int8>, stride: Int, rows: Int, steps: Int, _ panel: UnsafePointer<Int8>, panelLanes: Int,
    sums: consuming InlineArray<MR, InlineArray<NV, ISA.Sums>>
) -> InlineArray<MR, InlineArray<NV, ISA.Sums>> {
    var weights = panel
    var a = a
    let end = a + steps * ISA.depth
    repeat {
        for row in 0..<MR {
            let activations = ISA.loadActivations(a + row * ISA.rows * stride, stride: rows < ISA.rows ? 0 : stride)
            for vector in 0..<NV {
                ISA.multiplyAdd(
                    &sums[row][vector], activations,
                    ISA.loadWeights(weights + vector * ISA.lanes * ISA.depthStep, groupStride: panelLanes * ISA.depthStep))
            }
        }
        weights += panelLanes * ISA.depth
        a += ISA.depth
    } while a != end
    return sums
}

/// Names a tile: `rows` times the instruction set's rows by `vectors` times its lanes.
public enum TileShape<let rows: Int, let vectors: Int> {}

/// A product by tiles of `MR` times `ISA.rows` rows and `NV` times `ISA.lanes` columns; the contract is that of `KernelSet.product`,
/// for the layout of `NV * ISA.lanes` columns a panel and the instruction set's depths and offset.
///
/// Rows go in blocks that stay in the second-level cache while every panel of the weights passes by; a panel stays in the
/// first-level cache while the block's rows pass by. The last panel goes by `narrow` tiles where its columns fit into them.
@inlinable @inline(__always)
public func tiledProduct<ISA: InstructionSet, let MR: Int, let NV: Int, let NarrowMR: Int, let NarrowNV: Int>(
    _: ISA.Type, _: TileShape<MR, NV>.Type, narrow: TileShape<NarrowMR, NarrowNV>.Type,
    _ a: UnsafePointer<Int8>, rows: Int, stride: Int, depth: Int, parts: Int, partStride: Int, _ packed: UnsafePointer<Int8>, columns: Int,
    into accumulators: UnsafeMutablePointer<Int32>, accumulatorStride: Int
) {
    let steps = (depth + ISA.depth - 1) / ISA.depth
    let height = MR * ISA.rows
    let width = NV * ISA.lanes
    let panelBytes = (ISA.activationOffset == 0 ? 0 : width * 4) + parts * steps * ISA.depth * width
    // Rows that overlap are counted once.
    let block = max(height, 131_072 / max(parts * min(depth, stride), 1) / height * height)
    for firstRow in Swift.stride(from: 0, to: rows, by: block) {
        let count = min(block, rows - firstRow)
        let a = a + firstRow * stride
        for column in Swift.stride(from: 0, to: columns, by: width) {
            let panel = packed + column / width * panelBytes
            let out = accumulators + (firstRow * accumulatorStride + column)
            if NarrowNV < NV, columns - column <= NarrowNV * ISA.lanes {
                panelProduct(
                    ISA.self, narrow, a, rows: count, stride: stride, steps: steps, parts: parts, partStride: partStride, panel,
                    panelLanes: width, columns: columns - column, into: out, accumulatorStride: accumulatorStride)
            } else {
                panelProduct(
                    ISA.self, TileShape<MR, NV>.self, a, rows: count, stride: stride, steps: steps, parts: parts, partStride: partStride,
                    panel, panelLanes: width, columns: columns - column, into: out, accumulatorStride: accumulatorStride)
            }
        }
    }
}

/// As above, by tiles of one shape.
@inlinable @inline(__always)
public func tiledProduct<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ shape: TileShape<MR, NV>.Type,
    _ a: UnsafePointer<Int8>, rows: Int, stride: Int, depth: Int, parts: Int, partStride: Int, _ packed: UnsafePointer<Int8>, columns: Int,
    into accumulators: UnsafeMutablePointer<Int32>, accumulatorStride: Int
) {
    tiledProduct(
        ISA.self, shape, narrow: shape, a, rows: rows, stride: stride, depth: depth, parts: parts, partStride: partStride, packed,
        columns: columns, into: accumulators, accumulatorStride: accumulatorStride)
}

/// All rows times the first `NV * ISA.lanes` columns of one panel.
@inlinable @inline(__always)
func panelProduct<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _: TileShape<MR, NV>.Type, _ a: UnsafePointer<Int8>, rows: Int, stride: Int, steps: Int, parts: Int, partStride: Int,
    _ header: UnsafePointer<Int8>, panelLanes: Int, columns: Int, into accumulators: UnsafeMutablePointer<Int32>, accumulatorStride: Int
) {
    let panel = header + (ISA.activationOffset == 0 ? 0 : panelLanes * 4)
    var start = InlineArray<NV, ISA.Sums>(repeating: ISA.zero)
    if ISA.activationOffset != 0 {
        for vector in 0..<NV { start[vector] = ISA.sums(header + vector * ISA.lanes * 4) }
    }
    var row = 0
    while row + MR * ISA.rows <= rows {
        tile(
            ISA.self, a + row * stride, stride: stride, rows: ISA.rows, steps: steps, parts: parts, partStride: partStride, panel,
            panelLanes: panelLanes, columns: columns, into: accumulators + row * accumulatorStride, accumulatorStride: accumulatorStride,
            sums: InlineArray<MR, _>(repeating: start))
        row += MR * ISA.rows
    }
    while row < rows {
        tile(
            ISA.self, a + row * stride, stride: stride, rows: min(ISA.rows, rows - row), steps: steps, parts: parts, partStride: partStride,
            panel, panelLanes: panelLanes, columns: columns, into: accumulators + row * accumulatorStride, accumulatorStride: accumulatorStride,
            sums: InlineArray<1, _>(repeating: start))
        row += ISA.rows
    }
}
