import CSIMD
import Kernels

@c @implementation
public func fcclip_dotprod_gemm(_ arguments: UnsafeRawPointer) {
    tiledGemm(DotProd.self, DotProdShape.Tile.self, arguments.load(as: Gemm.self))
}

@c @implementation
public func fcclip_dotprod_depthwise7x7(_ arguments: UnsafeRawPointer) {
    columnwiseDepthwise7x7(DotProd.self, arguments.load(as: Depthwise7x7.self))
}

@c @implementation
public func fcclip_dotprod_peak(_ arguments: UnsafeRawPointer) {
    registerPeak(DotProd.self, DotProdShape.Tile.self, arguments.load(as: RegisterPeak.self))
}
