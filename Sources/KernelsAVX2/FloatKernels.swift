import CSIMD
import Kernels

extension AVX2: FloatPath {
    @inline(__always) static var registers: Int { 8 }
}

@c @implementation
public func fcclip_avx2_float(_ kernel: UnsafeRawPointer) {
    kernel.assumingMemoryBound(to: FloatKernel.self).pointee.perform(AVX2.self)
}
