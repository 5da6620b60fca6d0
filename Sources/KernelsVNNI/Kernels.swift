import CSIMD
import Kernels

@c @implementation
public func fcclip_vnni_gemm(_ arguments: UnsafeRawPointer) {
    tiledGemm(VNNI.self, VNNIShape.Tile.self, narrow: VNNIShape.NarrowTile.self, arguments.load(as: Gemm.self))
}

@c @implementation
public func fcclip_vnni_depthwise7x7(_ arguments: UnsafeRawPointer) {
    columnwiseDepthwise7x7(VNNI.self, arguments.load(as: Depthwise7x7.self))
}

@c @implementation
public func fcclip_vnni_float(_ arguments: UnsafeRawPointer) {
    arguments.assumingMemoryBound(to: FloatKernel.self).pointee.perform(VNNI.self)
}

@c @implementation
public func fcclip_vnni_peak(_ arguments: UnsafeRawPointer) {
    registerPeak(VNNI.self, VNNIShape.Tile.self, arguments.load(as: RegisterPeak.self))
}

extension VNNI: VectorRegisters {
    @inline(__always) static var registers: Int { 32 }
}
