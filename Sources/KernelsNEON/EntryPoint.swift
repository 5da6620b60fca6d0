import CSIMD
import Kernels

@c @implementation
public func fcclip_neon(_ call: UnsafeRawPointer) { KernelCall.perform(call, with: NEON.self) }
