import CSIMD

/// One tile of a GEMM: `MR` times `ISA.rows` rows by `NV` times `ISA.lanes` columns, its sums in registers for all of K (the depth). The
/// panel has `panelLanes` columns, perhaps more than the tile. K consists of `taps` pieces of `steps` times `ISA.depth`, `tapStride` bytes apart.
///
///                     packed panel, one step of ISA.depth
///                     w0       w1       ...  (NV)
///     a rows 0  -->   s[0][0]  s[0][1]
///     a rows 1  -->   s[1][0]  s[1][1]       s[r][v] += one step of rows r times one step of columns v
///     ...             (MR)
///
/// Activations that need an offset get it before, in `staging`, once for all columns; the taps then lie one after the other.
@inlinable @inline(__always)
func tile<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ a: UnsafePointer<Int8>, stride: Int, rows: Int, steps: Int, taps: Int, tapStride: Int, _ panel: UnsafePointer<Int8>,
    panelLanes: Int, columns: Int, staging: UnsafeMutablePointer<Int8>, into accumulators: UnsafeMutablePointer<Int32>, accumulatorStride: Int,
    sums: consuming InlineArray<MR, InlineArray<NV, ISA.Sums>>
) {
    if ISA.activationOffset == 0 {
        var weights = panel
        var a = a
        var left = taps
        repeat {
            sums = accumulate(ISA.self, a, stride: stride, rows: rows, steps: steps, weights, panelLanes: panelLanes, sums: sums)
            weights += steps * panelLanes * ISA.depth
            a += tapStride
            left -= 1
        } while left > 0
    } else {
        let tapBytes = steps * ISA.depth
        let rowBytes = Gemm.stagedBytes(depth: tapBytes, taps: taps)
        for row in 0..<MR {
            for tap in 0..<taps {
                ISA.offset(a + (row * stride + tap * tapStride), count: (tapBytes + 15) / 16 * 16, into: staging + (row * rowBytes + tap * tapBytes))
            }
        }
        sums = accumulate(ISA.self, staging, stride: rowBytes, rows: rows, steps: taps * steps, panel, panelLanes: panelLanes, sums: sums)
    }
    // The usual case separately, so that its lengths are constants.
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

/// Adds `steps` (at least one) times `ISA.depth` further products to each of a tile's sums. A function separate from `tile`, with a loop that runs
/// at least once: otherwise the compiler keeps sums in memory or moves them between registers.
@inlinable @inline(__always)
func accumulate<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _ a: UnsafePointer<Int8>, stride: Int, rows: Int, steps: Int, _ panel: UnsafePointer<Int8>, panelLanes: Int,
    sums: consuming InlineArray<MR, InlineArray<NV, ISA.Sums>>
) -> InlineArray<MR, InlineArray<NV, ISA.Sums>> {
    var weights = panel
    var a = a
    let end = a + steps * ISA.depth
    // Registers of their own: the compiler would add the stride at every row.
    var offsets = InlineArray<MR, Int>(repeating: 0)
    for row in 0..<MR { offsets[row] = simd_opaque_offset(row * ISA.rows * stride) }
    repeat {
        for row in 0..<MR {
            let activations = ISA.loadActivations(a + offsets[row], stride: rows < ISA.rows ? 0 : stride)
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

/// A GEMM by tiles of `MR` times `ISA.rows` rows and `NV` times `ISA.lanes` columns.
///
/// A block of rows stays in the second-level cache while every panel of the weights is read; a panel stays in the first-level cache while the
/// block's rows are read. The last panel uses `narrow` tiles if its columns fit into them.
@inlinable @inline(__always)
public func tiledGemm<ISA: InstructionSet, let MR: Int, let NV: Int, let NarrowMR: Int, let NarrowNV: Int>(
    _: ISA.Type, _ shape: TileShape<MR, NV>.Type, narrow: TileShape<NarrowMR, NarrowNV>.Type, _ gemm: Gemm
) {
    let stride = gemm.rowStride
    let steps = (gemm.depth + ISA.depth - 1) / ISA.depth
    let height = MR * ISA.rows
    let width = NV * ISA.lanes
    let panelBytes = (ISA.activationOffset == 0 ? 0 : width * 4) + gemm.taps * steps * ISA.depth * width
    // Rows that overlap are counted once.
    let block = max(height, 131_072 / max(gemm.taps * min(gemm.depth, stride), 1) / height * height)
    for firstRow in Swift.stride(from: 0, to: gemm.rows, by: block) {
        let count = min(block, gemm.rows - firstRow)
        let a = gemm.a + firstRow * stride
        for column in Swift.stride(from: 0, to: gemm.columns, by: width) {
            let panel = gemm.packed + column / width * panelBytes
            let out = gemm.sums + (firstRow * gemm.sumStride + column)
            if NarrowNV < NV, gemm.columns - column <= NarrowNV * ISA.lanes {
                panelGemm(
                    ISA.self, narrow, a, rows: count, stride: stride, steps: steps, taps: gemm.taps, tapStride: gemm.tapStride, panel,
                    panelLanes: width, columns: gemm.columns - column, staging: gemm.scratch, into: out, accumulatorStride: gemm.sumStride)
            } else {
                panelGemm(
                    ISA.self, shape, a, rows: count, stride: stride, steps: steps, taps: gemm.taps, tapStride: gemm.tapStride,
                    panel, panelLanes: width, columns: gemm.columns - column, staging: gemm.scratch, into: out, accumulatorStride: gemm.sumStride)
            }
        }
    }
}

/// As above, by tiles of one shape.
@inlinable @inline(__always)
public func tiledGemm<ISA: InstructionSet, let MR: Int, let NV: Int>(_: ISA.Type, _ shape: TileShape<MR, NV>.Type, _ gemm: Gemm) {
    tiledGemm(ISA.self, shape, narrow: shape, gemm)
}

/// All rows times the first `NV * ISA.lanes` columns of one panel.
@inlinable @inline(__always)
func panelGemm<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _: TileShape<MR, NV>.Type, _ a: UnsafePointer<Int8>, rows: Int, stride: Int, steps: Int, taps: Int, tapStride: Int,
    _ header: UnsafePointer<Int8>, panelLanes: Int, columns: Int, staging: UnsafeMutablePointer<Int8>, into accumulators: UnsafeMutablePointer<Int32>,
    accumulatorStride: Int
) {
    let panel = header + (ISA.activationOffset == 0 ? 0 : panelLanes * 4)
    var start = InlineArray<NV, ISA.Sums>(repeating: ISA.zero)
    if ISA.activationOffset != 0 {
        for vector in 0..<NV { start[vector] = ISA.sums(header + vector * ISA.lanes * 4) }
    }
    var row = 0
    while row + MR * ISA.rows <= rows {
        tile(
            ISA.self, a + row * stride, stride: stride, rows: ISA.rows, steps: steps, taps: taps, tapStride: tapStride, panel,
            panelLanes: panelLanes, columns: columns, staging: staging, into: accumulators + row * accumulatorStride,
            accumulatorStride: accumulatorStride, sums: InlineArray<MR, _>(repeating: start))
        row += MR * ISA.rows
        // Computing some rows twice costs less than many single ones.
        if row < rows, row + MR * ISA.rows > rows, 2 * (rows - row) > MR * ISA.rows { row = rows - MR * ISA.rows }
    }
    while row < rows {
        tile(
            ISA.self, a + row * stride, stride: stride, rows: min(ISA.rows, rows - row), steps: steps, taps: taps, tapStride: tapStride,
            panel, panelLanes: panelLanes, columns: columns, staging: staging, into: accumulators + row * accumulatorStride,
            accumulatorStride: accumulatorStride, sums: InlineArray<1, _>(repeating: start))
        row += ISA.rows
    }
}
