import CSIMD
import Kernels

/// `vpdpbusd`: four unsigned bytes times four signed bytes added to each of sixteen 32-bit sums, 64 multiply-adds an instruction.
///
/// Adding 128, by flipping one bit, makes activations unsigned; the sums begin with -128 times the sum of the weights.
enum VNNI: InstructionSet {
    typealias Shape = VNNIShape
    @inline(__always) static var zero: __m512i { __m512i(repeating: 0) }

    @inline(__always)
    static func sums(_ pointer: UnsafePointer<Int8>) -> __m512i { loadWeights(pointer, groupStride: 0) }

    @inline(__always)
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> __m512i {
        UnsafeRawPointer(pointer).loadUnaligned(as: __m512i.self)
    }

    @inline(__always)
    static func stage(_ activations: UnsafePointer<Int8>, _: UnsafePointer<Int8>, count: Int, into target: UnsafeMutablePointer<Int8>) {
        var position = 0
        while position + 64 <= count {
            let flipped = _mm512_xor_si512(UnsafeRawPointer(activations + position).loadUnaligned(as: __m512i.self), _mm512_set1_epi8(-128))
            UnsafeMutableRawPointer(target + position).storeBytes(of: flipped, as: __m512i.self)
            position += 64
        }
        while position < count {
            let flipped = _mm_xor_si128(UnsafeRawPointer(activations + position).loadUnaligned(as: __m128i.self), _mm_set1_epi8(-128))
            UnsafeMutableRawPointer(target + position).storeBytes(of: flipped, as: __m128i.self)
            position += 16
        }
    }

    @inline(__always)
    static func loadActivations(_ pointer: UnsafePointer<Int8>) -> __m512i {
        _mm512_set1_epi32(UnsafeRawPointer(pointer).loadUnaligned(as: Int32.self))
    }

    @inline(__always)
    static func multiplyAdd(_ sums: inout __m512i, _ activations: __m512i, _ weights: __m512i) {
        sums = _mm512_dpbusd_epi32(sums, activations, weights)
    }

    @inline(__always)
    static func opaque(_ activations: __m512i) -> __m512i {
        simd_opaque_512(activations)
    }

    @inline(__always)
    static func store(_ sums: __m512i, _ pointer: UnsafeMutablePointer<Int32>, stride: Int) {
        storeLanes(unsafeBitCast(sums, to: SIMD16<Int32>.self), pointer)
    }

    // Separate functions: in one function, the compiler would keep sums in memory.
    @inline(never) static func perform(_ gemm: UnsafePointer<Gemm>) { tiledGemm(VNNI.self, Shape.Tile.self, narrow: TileShape<8, 2>.self, gemm.pointee) }
    @inline(never) static func perform(_ peak: UnsafePointer<RegisterPeak>) { registerPeak(VNNI.self, Shape.Tile.self, peak.pointee) }
    @inline(never) static func perform(_ convolution: UnsafePointer<Depthwise7x7>) { columnwiseDepthwise7x7(VNNI.self, convolution.pointee) }
    @inline(never) static func perform(_ kernel: UnsafePointer<FloatKernel>) { kernel.pointee.perform(VNNI.self) }
}

extension VNNI: VectorRegisters {
    @inline(__always) static var registers: Int { 32 }
}
