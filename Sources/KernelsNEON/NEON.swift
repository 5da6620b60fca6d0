import CSIMD
import Kernels

/// Products in pairs: `smull` and `smlal` leave the sum of two products in 16 bits, `sadalp` adds neighbours to 32 bits.
///
/// Such a pair is at most 2 * 128 * 127 = 32512, so nothing wraps as long as no weight is -128. A register holds 16 values along K of one column;
/// its four sums are added up only when the tile is stored.
enum NEON: InstructionSet {
    typealias Shape = NEONShape
    typealias Sums = (SIMD4<Int32>, SIMD4<Int32>, SIMD4<Int32>, SIMD4<Int32>)
    typealias Weights = (SIMD16<Int8>, SIMD16<Int8>, SIMD16<Int8>, SIMD16<Int8>)

    @inline(__always) static var zero: Sums { (.zero, .zero, .zero, .zero) }

    @inline(__always)
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> Weights {
        (loadBytes(pointer), loadBytes(pointer + 16), loadBytes(pointer + 32), loadBytes(pointer + 48))
    }

    @inline(__always)
    static func loadActivations(_ pointer: UnsafePointer<Int8>) -> SIMD16<Int8> {
        loadBytes(pointer)
    }

    @inline(__always)
    static func multiplyAdd(_ sums: inout Sums, _ activations: SIMD16<Int8>, _ weights: Weights) {
        sums.0 = sixteen(sums.0, activations, weights.0)
        sums.1 = sixteen(sums.1, activations, weights.1)
        sums.2 = sixteen(sums.2, activations, weights.2)
        sums.3 = sixteen(sums.3, activations, weights.3)
    }

    @inline(__always)
    private static func sixteen(_ sums: SIMD4<Int32>, _ x: SIMD16<Int8>, _ y: SIMD16<Int8>) -> SIMD4<Int32> {
        vpadalq_s16(sums, vmlal_high_s8(vmull_s8(vget_low_s8(x), vget_low_s8(y)), x, y))
    }

    @inline(__always)
    static func opaque(_ activations: SIMD16<Int8>) -> SIMD16<Int8> { simd_opaque_128(activations) }

    @inline(__always)
    static func store(_ sums: Sums, _ pointer: UnsafeMutablePointer<Int32>, stride: Int) {
        let totals = vpaddq_s32(vpaddq_s32(sums.0, sums.1), vpaddq_s32(sums.2, sums.3))
        storeLanes(totals, pointer)
    }

    @inline(__always) static var hasTileInOrder: Bool { true }
    @inline(__always) static func tileInOrder(_ tile: UnsafePointer<simd_tile>) { simd_pairs_tile_in_order(tile) }

    // Separate functions: in one function, the compiler would keep sums in memory.
    @inline(never) static func perform(_ gemm: UnsafePointer<Gemm>) { tiledGemm(NEON.self, Shape.Tile.self, gemm.pointee) }
    @inline(never) static func perform(_ peak: UnsafePointer<RegisterPeak>) { registerPeak(NEON.self, Shape.Tile.self, peak.pointee) }
    @inline(never) static func perform(_ convolution: UnsafePointer<Depthwise7x7>) { columnwiseDepthwise7x7(NEON.self, convolution.pointee) }
    @inline(never) static func perform(_ kernel: UnsafePointer<FloatKernel>) { kernel.pointee.perform(NEON.self) }
}

extension NEON: VectorRegisters {
    @inline(__always) static var registers: Int { 8 }
}
