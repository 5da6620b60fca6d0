import CSIMD

/// The most that a product could reach: multiply-adds on registers alone, as many sums as a tile has, nothing loaded or stored between.
///
/// - Parameters:
///   - rounds: how often all sums receive one step of `ISA.depth` products.
///   - operands: 256 bytes, the values of rows and columns.
///   - sums: room for `KernelSet.peakSums` values, of which the tile's are written.
/// - Returns: multiply-adds made.
@inlinable @inline(__always)
public func registerProducts<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _: TileShape<MR, NV>.Type, rounds: Int, operands: UnsafePointer<Int8>, into sums: UnsafeMutablePointer<Int32>
) -> Int {
    let weights = ISA.loadWeights(operands, groupStride: ISA.lanes * ISA.depthStep)
    var activations = ISA.loadActivations(operands, stride: ISA.depth)
    var tile = InlineArray<MR, InlineArray<NV, ISA.Sums>>(repeating: InlineArray<NV, ISA.Sums>(repeating: ISA.zero))
    for _ in 0..<rounds {
        for row in 0..<MR {
            for vector in 0..<NV {
                activations = ISA.opaque(activations)
                ISA.multiplyAdd(&tile[row][vector], activations, weights)
            }
        }
    }
    let count = ISA.rows * ISA.lanes
    for row in 0..<MR {
        for vector in 0..<NV {
            ISA.store(tile[row][vector], sums + (row * NV + vector) * count, stride: ISA.lanes, rows: ISA.rows, columns: ISA.lanes)
        }
    }
    if ISA.activationOffset != 0 {
        for index in 0..<MR * NV * count {
            let weights = operands + index % ISA.lanes * ISA.depth
            for k in 0..<ISA.depth { sums[index] &-= ISA.activationOffset &* Int32(weights[k]) &* Int32(truncatingIfNeeded: rounds) }
        }
    }
    return rounds * MR * NV * count * ISA.depth
}

/// The same in plain Swift: eight sums, one product at a time.
func registerProducts(rounds: Int, operands: UnsafePointer<Int8>, into sums: UnsafeMutablePointer<Int32>) -> Int {
    let weight = Int32(operands[0])
    var activation = Int32(operands[1])
    var totals = InlineArray<8, Int32>(repeating: 0)
    for _ in 0..<rounds {
        for index in 0..<8 {
            activation = simd_opaque(activation)
            totals[index] &+= activation &* weight
        }
    }
    for index in 0..<8 { sums[index] = totals[index] }
    return rounds * 8
}
