import CSIMD

/// The kernels of one instruction set. `all` is the one list of them: it drives the choice at start-up, the tests and the benchmarks.
///
/// All kernel sets give the same bits. Kernels that are not listed here are portable and exist once.
public struct KernelSet: Sendable {
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

    /// A kernel compiled for one instruction set: takes the address of its arguments, of the type that the property's name says.
    typealias Entry = @convention(c) (_ arguments: UnsafeRawPointer) -> Void

    public let name: StaticString
    /// What a processor must have to run it.
    public let requirement: Requirement
    /// How `gemm` wants its weights.
    public let layout: PackedLayout
    let gemm: Entry
    let depthwise7x7: Entry
    let float: Entry
    let peak: Entry

    public func perform(_ gemm: Gemm) {
        withUnsafePointer(to: gemm) { self.gemm($0) }
    }

    public func perform(_ convolution: Depthwise7x7) {
        withUnsafePointer(to: convolution) { depthwise7x7($0) }
    }

    public func perform(_ kernel: FloatKernel) {
        withUnsafePointer(to: kernel) { float($0) }
    }

    /// Values that `registerPeak` may write.
    public static let peakSums = 1024

    /// Runs `RegisterPeak` with this set's instructions. - Returns: multiply-adds made.
    public func registerPeak(rounds: Int, operands: UnsafePointer<Int8>, into sums: UnsafeMutablePointer<Int32>) -> Int {
        var count = 0
        withUnsafeMutablePointer(to: &count) { count in
            withUnsafePointer(to: RegisterPeak(rounds: rounds, operands: operands, sums: sums, count: count)) { peak($0) }
        }
        return count
    }

    @inlinable public var columnsPerPanel: Int { layout.columnsPerPanel }
    @inlinable public var depthStep: Int { layout.depthStep }
}

extension KernelSet {
    /// All kernel sets of this architecture, the best last. The first is the reference and runs everywhere.
    public static let all: [KernelSet] = [scalar] + vector

    /// What the whole program is compiled for: on ARM this has vectors already.
    private static let portable: Entry = { $0.assumingMemoryBound(to: FloatKernel.self).pointee.perform(Portable.self) }

    private static let scalar = KernelSet(
        name: "scalar", requirement: .none, layout: ScalarShape.layout,
        gemm: { $0.assumingMemoryBound(to: Gemm.self).pointee.performReference(layout: ScalarShape.layout) },
        depthwise7x7: { $0.assumingMemoryBound(to: Depthwise7x7.self).pointee.performReference() },
        float: portable,
        peak: { $0.assumingMemoryBound(to: RegisterPeak.self).pointee.performReference() })

    #if arch(x86_64)
    private static let vector = [
        KernelSet(
            name: "avx2", requirement: .avx2, layout: AVX2Shape.layout, gemm: fcclip_avx2_gemm, depthwise7x7: fcclip_avx2_depthwise7x7,
            float: fcclip_avx2_float, peak: fcclip_avx2_peak),
        KernelSet(
            name: "vnni", requirement: .avx512VNNI, layout: VNNIShape.layout, gemm: fcclip_vnni_gemm, depthwise7x7: fcclip_vnni_depthwise7x7,
            float: fcclip_vnni_float, peak: fcclip_vnni_peak),
    ]
    #elseif arch(arm64)
    private static let vector = [
        KernelSet(
            name: "neon", requirement: .none, layout: NEONShape.layout, gemm: fcclip_neon_gemm, depthwise7x7: fcclip_neon_depthwise7x7,
            float: portable, peak: fcclip_neon_peak),
        KernelSet(
            name: "dotprod", requirement: .dotProduct, layout: DotProdShape.layout, gemm: fcclip_dotprod_gemm, depthwise7x7: fcclip_dotprod_depthwise7x7,
            float: portable, peak: fcclip_dotprod_peak),
        // Its depthwise convolution would come out the same as that of the dot product, which every such processor has.
        KernelSet(
            name: "i8mm", requirement: .matrixProduct, layout: I8MMShape.layout, gemm: fcclip_i8mm_gemm, depthwise7x7: fcclip_dotprod_depthwise7x7,
            float: portable, peak: fcclip_i8mm_peak),
    ]
    #else
    private static let vector: [KernelSet] = []
    #endif

    /// The set called `name`, or nil when this architecture has none of that name.
    public static func named(_ name: String) -> KernelSet? {
        all.first { "\($0.name)" == name }
    }
}
