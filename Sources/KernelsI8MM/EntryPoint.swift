import CSIMD
import Kernels

@c @implementation
public func fcclip_i8mm(_ call: UnsafeRawPointer) { KernelCall.perform(call, with: I8MM.self) }
