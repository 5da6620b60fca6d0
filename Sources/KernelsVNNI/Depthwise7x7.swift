import CSIMD
import Kernels

@c @implementation
public func fcclip_vnni_depthwise7x7(
    _ x: UnsafePointer<Int8>, _ height: Int, _ width: Int, _ channels: Int, _ weights: UnsafePointer<Int8>, _ row: Int,
    _ y: UnsafeMutablePointer<Int32>
) {
    columnwiseDepthwise7x7(VNNI.self, x, height: height, width: width, channels: channels, weights: weights, row: row, into: y)
}
