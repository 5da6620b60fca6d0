import CKernels
import Kernels

@c @implementation
public func fcclip_vnni_float(_ kernel: UnsafeRawPointer) {
    kernel.assumingMemoryBound(to: FloatKernel.self).pointee.perform(VNNI.self)
}
