import CSIMD
import Kernels

@c @implementation
public func fcclip_dotprod(_ call: UnsafeRawPointer) { KernelCall.perform(call, with: DotProd.self) }
