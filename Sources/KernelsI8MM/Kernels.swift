import CSIMD
import Kernels

@c @implementation
public func fcclip_i8mm_gemm(_ arguments: UnsafeRawPointer) {
    tiledGemm(I8MM.self, I8MMShape.Tile.self, arguments.load(as: Gemm.self))
}

@c @implementation
public func fcclip_i8mm_peak(_ arguments: UnsafeRawPointer) {
    registerPeak(I8MM.self, I8MMShape.Tile.self, arguments.load(as: RegisterPeak.self))
}
