import CSIMD

/// The kernels of one instruction set. `all` is the one list of them: it drives the choice at start-up, the tests and the benchmarks.
///
/// Every path gives the same bits. Kernels that are not listed here are portable and exist once.
public struct KernelSet: Sendable {
    public typealias Product =
        @convention(c) (
            _ a: UnsafePointer<Int8>, _ rows: Int, _ stride: Int, _ depth: Int, _ parts: Int, _ partStride: Int,
            _ packed: UnsafePointer<Int8>, _ columns: Int, _ accumulators: UnsafeMutablePointer<Int32>, _ accumulatorStride: Int
        ) -> Void
    public typealias Depthwise7x7 =
        @convention(c) (
            _ x: UnsafePointer<Int8>, _ height: Int, _ width: Int, _ channels: Int, _ weights: UnsafePointer<Int8>, _ row: Int,
            _ y: UnsafeMutablePointer<Int32>
        ) -> Void

    /// `kernel` is a `FloatKernel`.
    public typealias Float = @convention(c) (_ kernel: UnsafeRawPointer) -> Void

    public typealias Peak = @convention(c) (_ rounds: Int, _ operands: UnsafePointer<Int8>, _ sums: UnsafeMutablePointer<Int32>) -> Int

    /// Instructions beyond those that the whole program is compiled for.
    public enum Requirement: Sendable {
        case none
        case avx2
        /// AVX-512 F, BW, CD, DQ, VL and VNNI.
        case avx512VNNI
        /// `sdot`.
        case dotProduct
        /// `sdot` and `smmla`.
        case matrixProduct
    }

    public let name: StaticString
    /// What a processor must have to run it.
    public let requirement: Requirement
    public let layout: PackedLayout

    /// accumulators[r][c] = sum over p and k of a[r][p][k] * weights[c][p * depth + k], exact.
    ///
    /// `a` has `rows` rows `stride` bytes apart, each in `parts` parts of `depth` values, `partStride` bytes apart: one part is a plain row,
    /// three are the lines that a 3x3 convolution sees, read in place. There is at least one, of at least one value. Each is readable up to
    /// `depth` rounded up to 16, whose rest does not matter; where there are several, `depth` is a multiple of 16.
    /// `packed` is in this table's `layout`. Of `accumulators`, `[rows][accumulatorStride]`, the first `columns` of each row are written.
    public let product: Product

    /// One output row of the depthwise convolution: see `depthwise7x7(_:height:width:channels:weights:row:into:)`.
    public let depthwise7x7: Depthwise7x7

    /// Performs a `FloatKernel`.
    let float: Float

    /// The product's own instructions on registers alone, for measuring what the machine could reach: see `registerProducts`. Returns
    /// the multiply-adds made.
    public let peak: Peak

    /// Values that `peak` may write.
    public static let peakSums = 1024

    /// Does the work of `kernel` with this path's instructions.
    public func perform(_ kernel: FloatKernel) {
        withUnsafePointer(to: kernel) { float($0) }
    }

    @inlinable public var columnsPerPanel: Int { layout.columnsPerPanel }
    @inlinable public var depthStep: Int { layout.depthStep }
}

extension KernelSet {
    /// All kernel sets of this architecture, the best last. The first is the reference and runs everywhere.
    public static let all: [KernelSet] = [scalar] + vector

    /// What the whole program is compiled for: on ARM this has vectors already.
    private static let portable: Float = { $0.assumingMemoryBound(to: FloatKernel.self).pointee.perform(Portable.self) }

    private static let scalar = KernelSet(
        name: "scalar", requirement: .none, layout: PackedLayout(columnsPerPanel: 8, depthStep: 4),
        product: { a, rows, stride, depth, parts, partStride, packed, columns, accumulators, accumulatorStride in
            Kernels.product(
                a, rows: rows, stride: stride, depth: depth, parts: parts, partStride: partStride, packed,
                layout: PackedLayout(columnsPerPanel: 8, depthStep: 4),
                columns: columns, into: accumulators, accumulatorStride: accumulatorStride)
        },
        depthwise7x7: { x, height, width, channels, weights, row, y in
            Kernels.depthwise7x7(x, height: height, width: width, channels: channels, weights: weights, row: row, into: y)
        },
        float: portable,
        peak: { rounds, operands, sums in registerProducts(rounds: rounds, operands: operands, into: sums) })

    #if arch(x86_64)
    private static let vector = [
        KernelSet(
            name: "avx2", requirement: .avx2, layout: PackedLayout(columnsPerPanel: 32, depthStep: 4),
            product: fcclip_avx2_product, depthwise7x7: fcclip_avx2_depthwise7x7, float: fcclip_avx2_float,
            peak: fcclip_avx2_peak),
        KernelSet(
            name: "vnni", requirement: .avx512VNNI, layout: PackedLayout(columnsPerPanel: 64, depthStep: 4, activationOffset: 128),
            product: fcclip_vnni_product, depthwise7x7: fcclip_vnni_depthwise7x7, float: fcclip_vnni_float,
            peak: fcclip_vnni_peak),
    ]
    #elseif arch(arm64)
    private static let vector = [
        KernelSet(
            name: "neon", requirement: .none, layout: PackedLayout(columnsPerPanel: 4, depthStep: 16),
            product: fcclip_neon_product, depthwise7x7: fcclip_neon_depthwise7x7, float: portable,
            peak: fcclip_neon_peak),
        KernelSet(
            name: "dotprod", requirement: .dotProduct, layout: PackedLayout(columnsPerPanel: 8, depthStep: 4, depthBlock: 16),
            product: fcclip_dotprod_product, depthwise7x7: fcclip_dotprod_depthwise7x7, float: portable,
            peak: fcclip_dotprod_peak),
        // Its depthwise convolution would come out the same as that of the dot product, which every such processor has.
        KernelSet(
            name: "i8mm", requirement: .matrixProduct,
            layout: PackedLayout(columnsPerPanel: 16, depthStep: 8, depthBlock: 16),
            product: fcclip_i8mm_product, depthwise7x7: fcclip_dotprod_depthwise7x7, float: portable,
            peak: fcclip_i8mm_peak),
    ]
    #else
    private static let vector: [KernelSet] = []
    #endif

    /// The path called `name`, or nil when this architecture has none of that name.
    public static func named(_ name: String) -> KernelSet? {
        for table in all where equal(table.name, name) { return table }
        return nil
    }

    private static func equal(_ name: StaticString, _ text: String) -> Bool {
        var bytes = text.utf8.makeIterator()
        for index in 0..<name.utf8CodeUnitCount {
            guard bytes.next() == name.utf8Start[index] else { return false }
        }
        return bytes.next() == nil
    }
}
