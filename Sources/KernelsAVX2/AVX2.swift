import CSIMD
import Kernels

/// 32 multiply-adds by the instructions of AVX2: sign, multiply bytes to pairs in 16 bits, add pairs to 32 bits, add.
///
/// The byte multiplication takes unsigned times signed values: |a| times w with the sign of a. |-128| is 128 unsigned, and a pair is at most
/// 2 * 128 * 127 = 32512, so nothing saturates as long as no weight is -128.
enum AVX2: InstructionSet {
    typealias Shape = AVX2Shape
    /// Not a structure: the function that copies a structure is shared by the whole program, and would be compiled for AVX2 here.
    typealias Activations = (values: __m256i, sizes: __m256i)

    @inline(__always)
    static func activations(_ values: __m256i) -> Activations {
        (values, _mm256_abs_epi8(values))
    }

    @inline(__always) static var zero: __m256i { __m256i(repeating: 0) }

    @inline(__always)
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> __m256i {
        UnsafeRawPointer(pointer).loadUnaligned(as: __m256i.self)
    }

    @inline(__always)
    static func loadActivations(_ pointer: UnsafePointer<Int8>) -> Activations {
        activations(_mm256_set1_epi32(UnsafeRawPointer(pointer).loadUnaligned(as: Int32.self)))
    }

    @inline(__always)
    static func multiplyAdd(_ sums: inout __m256i, _ activations: Activations, _ weights: __m256i) {
        let pairs = _mm256_maddubs_epi16(activations.sizes, _mm256_sign_epi8(weights, activations.values))
        sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
    }

    @inline(__always)
    static func opaque(_ activations: Activations) -> Activations {
        (simd_opaque_256(activations.values), simd_opaque_256(activations.sizes))
    }

    @inline(__always)
    static func store(_ sums: __m256i, _ pointer: UnsafeMutablePointer<Int32>, stride: Int) {
        storeLanes(unsafeBitCast(sums, to: SIMD8<Int32>.self), pointer)
    }

    // Separate functions: in one function, the compiler would keep sums in memory.
    @inline(never) static func perform(_ gemm: UnsafePointer<Gemm>) { tiledGemm(AVX2.self, Shape.Tile.self, gemm.pointee) }
    @inline(never) static func perform(_ peak: UnsafePointer<RegisterPeak>) { registerPeak(AVX2.self, Shape.Tile.self, peak.pointee) }
    @inline(never) static func perform(_ convolution: UnsafePointer<Depthwise7x7>) { columnwiseDepthwise7x7(AVX2.self, convolution.pointee) }
    @inline(never) static func perform(_ kernel: UnsafePointer<FloatKernel>) { kernel.pointee.perform(AVX2.self) }
}

extension AVX2: VectorRegisters {
    @inline(__always) static var registers: Int { 8 }
}
