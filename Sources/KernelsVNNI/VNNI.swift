import CSIMD
import Kernels

/// `vpdpbusd`: four unsigned bytes times four signed bytes added to each of sixteen 32-bit sums, 64 multiply-adds an instruction.
///
/// Activations become unsigned by 128 more, one bit flipped; the sums begin with -128 times the weights' sum.
enum VNNI: InstructionSet {
    typealias Shape = VNNIShape
    @inline(__always) static var zero: __m512i { __m512i(repeating: 0) }

    @inline(__always)
    static func sums(_ pointer: UnsafePointer<Int8>) -> __m512i {
        UnsafeRawPointer(pointer).loadUnaligned(as: __m512i.self)
    }

    @inline(__always)
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> __m512i {
        UnsafeRawPointer(pointer).loadUnaligned(as: __m512i.self)
    }

    @inline(__always)
    static func loadActivations(_ pointer: UnsafePointer<Int8>, stride: Int) -> __m512i {
        _mm512_xor_si512(_mm512_set1_epi32(UnsafeRawPointer(pointer).loadUnaligned(as: Int32.self)), _mm512_set1_epi8(-128))
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
    static func store(_ sums: __m512i, _ pointer: UnsafeMutablePointer<Int32>, stride: Int, rows: Int, columns: Int) {
        if columns >= 16 {
            UnsafeMutableRawPointer(pointer).storeBytes(of: sums, as: __m512i.self)
        } else {
            let lanes = unsafeBitCast(sums, to: SIMD16<Int32>.self)
            for lane in 0..<max(columns, 0) { pointer[lane] = lanes[lane] }
        }
    }
}
