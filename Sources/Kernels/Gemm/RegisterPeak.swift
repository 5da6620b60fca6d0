import CSIMD

/// A loop of multiply-adds on registers alone: an upper bound for the rate of a GEMM.
public struct RegisterPeak {
    /// The number of steps, each of which adds products to all of a tile's sums.
    public let rounds: Int
    /// 256 bytes, the values of rows and columns.
    public let operands: UnsafePointer<Int8>
    /// Room for `KernelSet.peakSums` values, of which the tile's are written.
    public let sums: UnsafeMutablePointer<Int32>
    /// Receives the number of multiply-adds.
    public let count: UnsafeMutablePointer<Int>
}

/// As many sums as a tile has; nothing is loaded or stored between. - Returns: multiply-adds made.
@inlinable @inline(__always)
public func registerPeak<ISA: InstructionSet, let MR: Int, let NV: Int>(
    _: ISA.Type, _: TileShape<MR, NV>.Type, _ peak: RegisterPeak
) {
    let rounds = peak.rounds
    let operands = peak.operands
    let sums = peak.sums
    let weights = ISA.loadWeights(operands, groupStride: ISA.lanes * ISA.depthStep)
    var activations = withUnsafeTemporaryAllocation(byteCount: 256, alignment: 64) { staging in
        guard ISA.activationOffset != 0 else { return ISA.loadActivations(operands) }
        let staged = staging.baseAddress!.assumingMemoryBound(to: Int8.self)
        ISA.stage(operands, operands, count: 256, into: staged)
        return ISA.loadActivations(staged)
    }
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
            ISA.store(tile[row][vector], sums + (row * NV + vector) * count, stride: ISA.lanes)
        }
    }
    if ISA.activationOffset != 0 {
        for index in 0..<MR * NV * count {
            let weights = operands + index % ISA.lanes * ISA.depth
            for k in 0..<ISA.depth { sums[index] &-= ISA.activationOffset &* Int32(weights[k]) &* Int32(truncatingIfNeeded: rounds) }
        }
    }
    peak.count.pointee = rounds * MR * NV * count * ISA.depth
}

extension RegisterPeak {
    /// The same in plain Swift: eight sums, one multiplication at a time.
    func performReference() {
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
        count.pointee = rounds * 8
    }
}
