import CSIMD
import Kernels

@c @implementation
public func fcclip_neon_gemm(_ arguments: UnsafeRawPointer) {
    tiledGemm(NEON.self, NEONShape.Tile.self, arguments.load(as: Gemm.self))
}

@c @implementation
public func fcclip_neon_depthwise7x7(_ arguments: UnsafeRawPointer) {
    columnwiseDepthwise7x7(NEON.self, arguments.load(as: Depthwise7x7.self))
}

@c @implementation
public func fcclip_neon_peak(_ arguments: UnsafeRawPointer) {
    registerPeak(NEON.self, NEONShape.Tile.self, arguments.load(as: RegisterPeak.self))
}
