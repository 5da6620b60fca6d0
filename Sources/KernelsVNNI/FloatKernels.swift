import CSIMD
import Kernels

extension VNNI: FloatPath {
    @inline(__always) static var registers: Int { 32 }
}

@c @implementation
public func fcclip_vnni_float(_ kernel: UnsafeRawPointer) {
    kernel.assumingMemoryBound(to: FloatKernel.self).pointee.perform(VNNI.self)
}
