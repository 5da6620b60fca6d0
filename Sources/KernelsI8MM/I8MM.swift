import CSIMD
import Kernels

/// `smmla`: one register holds eight values along K of two rows, another those of two columns; the four sums are
///
///     row 0 column 0    row 0 column 1    row 1 column 0    row 1 column 1
enum I8MM: InstructionSet {
    typealias Shape = I8MMShape
    /// Columns 0 and 1, columns 2 and 3.
    typealias Sums = (SIMD4<Int32>, SIMD4<Int32>)
    /// The same columns, first the values 0 to 7 along K, then 8 to 15.
    typealias Weights = (near: (SIMD16<Int8>, SIMD16<Int8>), far: (SIMD16<Int8>, SIMD16<Int8>))

    @inline(__always) static var zero: Sums { (.zero, .zero) }

    @inline(__always)
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> Weights {
        ((loadBytes(pointer), loadBytes(pointer + 16)), (loadBytes(pointer + groupStride), loadBytes(pointer + groupStride + 16)))
    }

    @inline(__always)
    static func loadActivations(_ pointer: UnsafePointer<Int8>) -> (near: SIMD16<Int8>, far: SIMD16<Int8>) {
        (loadBytes(pointer), loadBytes(pointer + 16))
    }

    /// Eight values of one row, then eight of the other.
    @inline(__always)
    static func stage(_ first: UnsafePointer<Int8>, _ second: UnsafePointer<Int8>, count: Int, into target: UnsafeMutablePointer<Int8>) {
        var position = 0
        repeat {
            let x = vreinterpretq_s64_s8(loadBytes(first + position))
            let y = vreinterpretq_s64_s8(loadBytes(second + position))
            UnsafeMutableRawPointer(target + 2 * position).storeBytes(of: vzip1q_s64(x, y), as: int64x2_t.self)
            UnsafeMutableRawPointer(target + 2 * position + 16).storeBytes(of: vzip2q_s64(x, y), as: int64x2_t.self)
            position += 16
        } while position < count
    }

    @inline(__always)
    static func multiplyAdd(_ sums: inout Sums, _ activations: (near: SIMD16<Int8>, far: SIMD16<Int8>), _ weights: Weights) {
        sums.0 = vmmlaq_s32(vmmlaq_s32(sums.0, activations.near, weights.near.0), activations.far, weights.far.0)
        sums.1 = vmmlaq_s32(vmmlaq_s32(sums.1, activations.near, weights.near.1), activations.far, weights.far.1)
    }

    @inline(__always)
    static func opaque(_ activations: (near: SIMD16<Int8>, far: SIMD16<Int8>)) -> (near: SIMD16<Int8>, far: SIMD16<Int8>) {
        (simd_opaque_128(activations.near), simd_opaque_128(activations.far))
    }

    @inline(__always)
    static func store(_ sums: Sums, _ pointer: UnsafeMutablePointer<Int32>, stride: Int) {
        storeLanes(SIMD4(lowHalf: sums.0.lowHalf, highHalf: sums.1.lowHalf), pointer)
        storeLanes(SIMD4(lowHalf: sums.0.highHalf, highHalf: sums.1.highHalf), pointer + stride)
    }

    // Separate functions: in one function, the compiler would keep sums in memory.
    @inline(never) static func perform(_ gemm: UnsafePointer<Gemm>) { tiledGemm(I8MM.self, Shape.Tile.self, gemm.pointee) }
    @inline(never) static func perform(_ peak: UnsafePointer<RegisterPeak>) { registerPeak(I8MM.self, Shape.Tile.self, peak.pointee) }
}
