import CKernels
import Kernels

@c @implementation
public func fcclip_avx2_float(_ kernel: UnsafeRawPointer) {
    kernel.assumingMemoryBound(to: FloatKernel.self).pointee.perform(AVX2.self)
}
