import CSIMD

/// The sums of a tile, as the instruction set keeps them.
public typealias TileSums<ISA: InstructionSet, let MR: Int, let NV: Int> = InlineArray<MR, InlineArray<NV, ISA.Sums>>

/// Where the rows of a tile's sums go.
@usableFromInline
struct TileTarget {
    @usableFromInline let sums: UnsafeMutablePointer<Int32>
    @usableFromInline let stride: Int
    /// Room for a whole tile's sums.
    @usableFromInline let spare: UnsafeMutablePointer<Int32>

    @inlinable @inline(__always)
    init(sums: UnsafeMutablePointer<Int32>, stride: Int, spare: UnsafeMutablePointer<Int32>) {
        (self.sums, self.stride, self.spare) = (sums, stride, spare)
    }

    /// Writes what is inside the result of a tile at `row` from `spare`, whose rows are `width` apart.
    @inlinable @inline(never)
    func copySpare(row: Int, rows: Int, columns: Int, width: Int) {
        for line in 0..<rows { (sums + (row + line) * stride).update(from: spare + line * width, count: min(columns, width)) }
    }
}

/// One tile of a GEMM: `MR` times `ISA.rows` rows by `NV` times `ISA.lanes` columns, its sums in registers for all of K (the depth). The
/// panel has `panelLanes` columns, perhaps more than the tile. K consists of `taps` pieces of `steps` times `ISA.depth`, `tapStride` bytes apart.
///
///                     packed panel, one step of ISA.depth
///                     w0       w1       ...  (NV)
///     a rows 0  -->   s[0][0]  s[0][1]
///     a rows 1  -->   s[1][0]  s[1][1]       s[r][v] += one step of rows r times one step of columns v
///     ...             (MR)
///
/// The sums begin with those at `start` and go to `partial`, or if that is nil to `row` of `target`, of whose tile `rows` rows and `columns`
/// columns exist.
@inlinable @inline(__always)
func tile<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ source: Gemm.Source, row: Int, rows: Int, columns: Int, steps: Int, taps: Int, _ panel: UnsafePointer<Int8>, panelLanes: Int,
    from start: UnsafePointer<TileSums<ISA, MR, NV>>, partial: UnsafeMutablePointer<TileSums<ISA, MR, NV>>?, _ target: TileTarget, isInOrder: Bool
) {
    // A whole tile in any case, so that no sum is chosen by a variable: the compiler would keep all of them in memory.
    let isWhole = rows == MR * ISA.rows && columns >= NV * ISA.lanes
    let width = NV * ISA.lanes
    let out = isWhole ? target.sums + row * target.stride : target.spare
    let stride = isWhole ? target.stride : width
    if ISA.hasTileInOrder, MR == ISA.Shape.tileRows, isInOrder {
        var arguments = simd_tile(
            a: source.base + row * source.stride, stride: source.stride, steps: steps, taps: taps, tap_stride: source.tapStride, weights: panel,
            start: start, partial: partial, out: out, out_stride: stride)
        ISA.tileInOrder(&arguments)
    } else {
        compute(
            ISA.self, source.base + row * source.stride, stride: source.stride, steps: steps, taps: taps, tapStride: source.tapStride, panel,
            panelLanes: panelLanes, from: start, partial: partial, into: out, outStride: stride)
    }
    if !isWhole, partial == nil { target.copySpare(row: row, rows: rows, columns: columns, width: width) }
}

/// The computation of one tile: from and to memory. If `partial` is nil, finished rows go to `out`.
@inlinable @inline(__always)
func compute<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ a: UnsafePointer<Int8>, stride: Int, steps: Int, taps: Int, tapStride: Int, _ panel: UnsafePointer<Int8>, panelLanes: Int,
    from start: UnsafePointer<TileSums<ISA, MR, NV>>, partial: UnsafeMutablePointer<TileSums<ISA, MR, NV>>?, into out: UnsafeMutablePointer<Int32>,
    outStride: Int
) {
    var sums = start.pointee
    var weights = panel
    var a = a
    var left = taps
    repeat {
        sums = accumulate(ISA.self, a, stride: stride, steps: steps, weights, panelLanes: panelLanes, sums: sums)
        weights += steps * panelLanes * ISA.depth
        a += tapStride
        left -= 1
    } while left > 0
    if let partial {
        partial.pointee = sums
        return
    }
    for row in 0..<MR {
        for vector in 0..<NV {
            ISA.store(sums[row][vector], out + (row * ISA.rows * outStride + vector * ISA.lanes), stride: outStride)
        }
    }
}

/// Adds `steps` (at least one) times `ISA.depth` further products to each of a tile's sums. A function separate from `tile`, with a loop that runs
/// at least once: otherwise the compiler keeps sums in memory or moves them between registers.
@inlinable @inline(__always)
func accumulate<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ a: UnsafePointer<Int8>, stride: Int, steps: Int, _ panel: UnsafePointer<Int8>, panelLanes: Int,
    sums: consuming InlineArray<MR, InlineArray<NV, ISA.Sums>>
) -> InlineArray<MR, InlineArray<NV, ISA.Sums>> {
    var weights = panel
    // One address and the rows' offsets, each in a register of its own: the compiler would advance an address for each row, or add the stride
    // at every row.
    var a = simd_opaque_address(a)
    let stepBytes = ISA.depth * max(ISA.stagedRows, 1)
    let end = a + steps * stepBytes
    var offsets = InlineArray<MR, Int>(repeating: 0)
    for row in 0..<MR { offsets[row] = simd_opaque_offset(row * ISA.rows * stride) }
    repeat {
        for row in 0..<MR {
            let activations = ISA.loadActivations(a + offsets[row])
            for vector in 0..<NV {
                ISA.multiplyAdd(
                    &sums[row][vector], activations,
                    ISA.loadWeights(weights + vector * ISA.lanes * ISA.depthStep, groupStride: panelLanes * ISA.depthStep))
            }
        }
        weights += panelLanes * ISA.depth
        a += stepBytes
    } while a != end
    return sums
}

/// A GEMM by tiles of `MR` times `ISA.rows` rows and `NV` times `ISA.lanes` columns.
///
/// A block of rows stays in the second-level cache while every panel of the weights is read; a panel stays in the first-level cache while the
/// block's rows are read. The last panel uses `narrow` tiles if its columns fit into them.
@inlinable @inline(__always)
public func tiledGemm<ISA: InstructionSet, let MR: Int, let NV: Int, let NarrowMR: Int, let NarrowNV: Int>(
    _: ISA.Type, _ shape: TileShape<MR, NV>.Type, narrow: TileShape<NarrowMR, NarrowNV>.Type, _ gemm: Gemm
) {
    let source = ISA.stagedRows == 0 ? gemm.source : gemm.staged(ISA.self)
    let steps = (gemm.depth + ISA.depth - 1) / ISA.depth
    let height = MR * ISA.rows
    let width = NV * ISA.lanes
    let panelBytes = (ISA.activationOffset == 0 ? 0 : width * 4) + gemm.taps * steps * ISA.depth * width
    let pieces = gemm.pieces(rows: height, columns: width)
    // Rows that overlap are counted once.
    let most = pieces > 1 ? Gemm.blockRows : max(height, gemm.core.secondLevel / 2 / max(gemm.taps * min(gemm.depth, source.stride), 1))
    let blocks = (gemm.rows + most - 1) / most
    let block = max(1, (gemm.rows + blocks * height - 1) / (blocks * height)) * height
    for firstRow in Swift.stride(from: 0, to: gemm.rows, by: block) {
        let count = min(block, gemm.rows - firstRow)
        let rows = source.advanced(by: firstRow)
        for column in Swift.stride(from: 0, to: gemm.columns, by: width) {
            let panel = gemm.packed + column / width * panelBytes
            let out = gemm.sums + (firstRow * gemm.sumStride + column)
            if NarrowNV < NV, gemm.columns - column <= NarrowNV * ISA.lanes {
                panelGemm(
                    ISA.self, narrow, rows, count: count, steps: steps, taps: gemm.taps, pieces: pieces, panel, panelLanes: width,
                    columns: gemm.columns - column, scratch: gemm.scratch, into: out, sumStride: gemm.sumStride, isInOrder: gemm.core.issuesInOrder)
            } else {
                panelGemm(
                    ISA.self, shape, rows, count: count, steps: steps, taps: gemm.taps, pieces: pieces, panel, panelLanes: width,
                    columns: gemm.columns - column, scratch: gemm.scratch, into: out, sumStride: gemm.sumStride, isInOrder: gemm.core.issuesInOrder)
            }
        }
    }
}

/// As above, by tiles of one shape.
@inlinable @inline(__always)
public func tiledGemm<ISA: InstructionSet, let MR: Int, let NV: Int>(_: ISA.Type, _ shape: TileShape<MR, NV>.Type, _ gemm: Gemm) {
    tiledGemm(ISA.self, shape, narrow: shape, gemm)
}

/// All rows times the first `NV * ISA.lanes` columns of one panel. If K is in more than one piece, all rows are multiplied with a piece before
/// the next, and the sums are kept in `scratch` in between.
@inlinable @inline(__always)
func panelGemm<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _: TileShape<MR, NV>.Type, _ rows: Gemm.Source, count: Int, steps: Int, taps: Int, pieces: Int, _ header: UnsafePointer<Int8>,
    panelLanes: Int, columns: Int, scratch: UnsafeMutablePointer<Int8>, into sums: UnsafeMutablePointer<Int32>, sumStride: Int, isInOrder: Bool
) {
    // The first two tiles are what sums begin with, and a spare one.
    let tiles = UnsafeMutableRawPointer(scratch).assumingMemoryBound(to: TileSums<ISA, MR, NV>.self)
    let target = TileTarget(sums: sums, stride: sumStride, spare: UnsafeMutableRawPointer(tiles + 1).assumingMemoryBound(to: Int32.self))
    var start = InlineArray<NV, ISA.Sums>(repeating: ISA.zero)
    if ISA.activationOffset != 0 {
        for vector in 0..<NV { start[vector] = ISA.sums(header + vector * ISA.lanes * 4) }
    }
    tiles.pointee = InlineArray(repeating: start)
    let start1 = UnsafeMutableRawPointer(tiles).assumingMemoryBound(to: TileSums<ISA, 1, NV>.self)
    let height = MR * ISA.rows
    // The last tile's first row: staged rows stay together, if need be with one beyond the last. Negative if there are too few rows.
    let group = max(ISA.stagedRows, 1)
    let last = (count - height + group - 1) & ~(group - 1)
    var weights = header + (ISA.activationOffset == 0 ? 0 : panelLanes * 4)
    // Either all taps at once or pieces of each.
    let piecesPerTap = pieces == 1 ? 1 : (pieces + taps - 1) / taps
    let passes = pieces == 1 ? 1 : taps * piecesPerTap
    for pass in 0..<passes {
        let (tap, piece) = (pass / piecesPerTap, pass % piecesPerTap)
        let first = steps * piece / piecesPerTap
        let passSteps = steps * (piece + 1) / piecesPerTap - first
        let passTaps = passes == 1 ? taps : 1
        let source = Gemm.Source(base: rows.base + (tap * rows.tapStride + first * ISA.depth * group), stride: rows.stride, tapStride: rows.tapStride)
        var partial = tiles + 2
        var row = 0
        while row <= last {
            tile(
                ISA.self, source, row: row, rows: group == 1 ? height : min(height, count - row), columns: columns, steps: passSteps, taps: passTaps, weights,
                panelLanes: panelLanes,
                from: pass == 0 ? tiles : partial, partial: pass == passes - 1 ? nil : partial, target, isInOrder: isInOrder)
            partial += 1
            row += height
            // Computing some rows twice costs less than many single ones.
            if row < count, row > last, last >= 0, 2 * (count - row) > height { row = last }
        }
        var single = UnsafeMutableRawPointer(partial).assumingMemoryBound(to: TileSums<ISA, 1, NV>.self)
        while row < count {
            tile(
                ISA.self, source, row: row, rows: min(ISA.rows, count - row), columns: columns, steps: passSteps, taps: passTaps, weights,
                panelLanes: panelLanes, from: pass == 0 ? start1 : single, partial: pass == passes - 1 ? nil : single, target, isInOrder: isInOrder)
            single += 1
            row += ISA.rows
        }
        weights += passSteps * panelLanes * ISA.depth
    }
}
