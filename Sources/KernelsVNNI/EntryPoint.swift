import CSIMD
import Kernels

@c @implementation
public func fcclip_vnni(_ call: UnsafeRawPointer) { KernelCall.perform(call, with: VNNI.self) }
