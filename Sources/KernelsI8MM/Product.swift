import CSIMD
import Kernels

@c @implementation
public func fcclip_i8mm_product(
    _ a: UnsafePointer<Int8>, _ rows: Int, _ stride: Int, _ depth: Int, _ parts: Int, _ partStride: Int,
    _ packed: UnsafePointer<Int8>, _ columns: Int, _ accumulators: UnsafeMutablePointer<Int32>, _ accumulatorStride: Int
) {
    tiledProduct(
        I8MM.self, TileShape<2, 4>.self, a, rows: rows, stride: stride, depth: depth, parts: parts,
        partStride: partStride, packed, columns: columns, into: accumulators, accumulatorStride: accumulatorStride)
}

@c @implementation
public func fcclip_i8mm_peak(_ rounds: Int, _ operands: UnsafePointer<Int8>, _ sums: UnsafeMutablePointer<Int32>) -> Int {
    registerProducts(I8MM.self, TileShape<2, 4>.self, rounds: rounds, operands: operands, into: sums)
}
