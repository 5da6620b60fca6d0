import CSIMD
import Kernels

@c @implementation
public func fcclip_avx2_gemm(_ arguments: UnsafeRawPointer) {
    tiledGemm(AVX2.self, AVX2Shape.Tile.self, arguments.load(as: Gemm.self))
}

@c @implementation
public func fcclip_avx2_depthwise7x7(_ arguments: UnsafeRawPointer) {
    columnwiseDepthwise7x7(AVX2.self, arguments.load(as: Depthwise7x7.self))
}

@c @implementation
public func fcclip_avx2_float(_ arguments: UnsafeRawPointer) {
    arguments.assumingMemoryBound(to: FloatKernel.self).pointee.perform(AVX2.self)
}

@c @implementation
public func fcclip_avx2_peak(_ arguments: UnsafeRawPointer) {
    registerPeak(AVX2.self, AVX2Shape.Tile.self, arguments.load(as: RegisterPeak.self))
}

extension AVX2: VectorRegisters {
    @inline(__always) static var registers: Int { 8 }
}
