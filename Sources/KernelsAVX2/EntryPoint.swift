import CSIMD
import Kernels

@c @implementation
public func fcclip_avx2(_ call: UnsafeRawPointer) { KernelCall.perform(call, with: AVX2.self) }
