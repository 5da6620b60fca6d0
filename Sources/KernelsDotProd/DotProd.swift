import CSIMD
import Kernels

/// `sdot` by lane: four values along K of four columns times one 32-bit lane of a row, so that one load of a row has sixteen values along K.
enum DotProd: InstructionSet {
    typealias Shape = DotProdShape
    /// Four columns, each register with four values along K: 0 to 3, 4 to 7, 8 to 11, 12 to 15.
    typealias Weights = (SIMD16<Int8>, SIMD16<Int8>, SIMD16<Int8>, SIMD16<Int8>)

    @inline(__always) static var zero: SIMD4<Int32> { .zero }

    @inline(__always)
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> Weights {
        (loadBytes(pointer), loadBytes(pointer + groupStride), loadBytes(pointer + 2 * groupStride), loadBytes(pointer + 3 * groupStride))
    }

    @inline(__always)
    static func loadActivations(_ pointer: UnsafePointer<Int8>) -> SIMD16<Int8> {
        loadBytes(pointer)
    }

    @inline(__always)
    static func multiplyAdd(_ sums: inout SIMD4<Int32>, _ activations: SIMD16<Int8>, _ weights: Weights) {
        sums = simd_dot_lane0(sums, weights.0, activations)
        sums = simd_dot_lane1(sums, weights.1, activations)
        sums = simd_dot_lane2(sums, weights.2, activations)
        sums = simd_dot_lane3(sums, weights.3, activations)
    }

    @inline(__always)
    static func opaque(_ activations: SIMD16<Int8>) -> SIMD16<Int8> { simd_opaque_128(activations) }

    @inline(__always)
    static func store(_ sums: SIMD4<Int32>, _ pointer: UnsafeMutablePointer<Int32>, stride: Int) {
        storeLanes(sums, pointer)
    }

    @inline(__always) static var hasTileInOrder: Bool { true }
    @inline(__always) static func tileInOrder(_ tile: UnsafePointer<simd_tile>) { simd_dot_tile_in_order(tile) }

    // Separate functions: in one function, the compiler would keep sums in memory.
    @inline(never) static func perform(_ gemm: UnsafePointer<Gemm>) { tiledGemm(DotProd.self, Shape.Tile.self, gemm.pointee) }
    @inline(never) static func perform(_ peak: UnsafePointer<RegisterPeak>) { registerPeak(DotProd.self, Shape.Tile.self, peak.pointee) }
    @inline(never) static func perform(_ convolution: UnsafePointer<Depthwise7x7>) { columnwiseDepthwise7x7(DotProd.self, convolution.pointee) }
}
