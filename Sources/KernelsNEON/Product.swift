import CSIMD
import Kernels

@c @implementation
public func fcclip_neon_product(
    _ a: UnsafePointer<Int8>, _ rows: Int, _ stride: Int, _ depth: Int, _ parts: Int, _ partStride: Int,
    _ packed: UnsafePointer<Int8>, _ columns: Int, _ accumulators: UnsafeMutablePointer<Int32>, _ accumulatorStride: Int
) {
    tiledProduct(
        NEON.self, TileShape<4, 1>.self, a, rows: rows, stride: stride, depth: depth, parts: parts,
        partStride: partStride, packed, columns: columns, into: accumulators, accumulatorStride: accumulatorStride)
}

@c @implementation
public func fcclip_neon_peak(_ rounds: Int, _ operands: UnsafePointer<Int8>, _ sums: UnsafeMutablePointer<Int32>) -> Int {
    registerProducts(NEON.self, TileShape<4, 1>.self, rounds: rounds, operands: operands, into: sums)
}
