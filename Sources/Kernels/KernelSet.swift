import CSIMD

/// The kernels of one instruction set. `all` is the one list of kernel sets: start-up, tests and benchmarks use it.
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

    /// Performs the `KernelCall` at the address `call`.
    typealias Entry = @convention(c) (_ call: UnsafeRawPointer) -> Void

    public let name: StaticString
    /// The instructions that a processor must have to run it.
    public let requirement: Requirement
    /// The layout of the GEMMs' weights.
    public let layout: PackedLayout
    /// Those of the machine by the processor's number, or one for all of them.
    public var cores = [Core.small]
    /// The number of the processor on which the calling thread runs, for machines with more than one kind of core.
    public var processor: @convention(c) () -> Int32 = { 0 }
    /// Runs each GEMM instead of `perform`, for measurements: it gets the arguments and what performs them.
    public var meter: (@Sendable (Gemm, () -> Void) -> Void)?
    let integer, depthwise7x7, float: Entry

    init(
        _ name: StaticString, requires requirement: Requirement, layout: PackedLayout, integer: @escaping Entry, depthwise7x7: Entry? = nil,
        float: Entry? = nil
    ) {
        (self.name, self.requirement, self.layout) = (name, requirement, layout)
        (self.integer, self.depthwise7x7, self.float) = (integer, depthwise7x7 ?? integer, float ?? integer)
    }

    public func perform(_ gemm: Gemm) {
        var gemm = gemm
        gemm.core = cores[cores.count == 1 ? 0 : min(max(Int(processor()), 0), cores.count - 1)]
        withUnsafePointer(to: gemm) { gemm in
            if let meter { meter(gemm.pointee) { call(integer, .gemm(gemm)) } } else { call(integer, .gemm(gemm)) }
        }
    }

    public func perform(_ convolution: Depthwise7x7) {
        withUnsafePointer(to: convolution) { call(depthwise7x7, .depthwise7x7($0)) }
    }

    public func perform(_ kernel: FloatKernel) {
        withUnsafePointer(to: kernel) { call(float, .float($0)) }
    }

    /// The number of values that `registerPeak` may write.
    public static let peakSums = 1024

    /// Runs `RegisterPeak` with this set's instructions. - Returns: multiply-adds made.
    public func registerPeak(rounds: Int, operands: UnsafePointer<Int8>, into sums: UnsafeMutablePointer<Int32>) -> Int {
        var count = 0
        withUnsafeMutablePointer(to: &count) { count in
            withUnsafePointer(to: RegisterPeak(rounds: rounds, operands: operands, sums: sums, count: count)) { call(integer, .peak($0)) }
        }
        return count
    }

    @inline(__always)
    private func call(_ entry: Entry, _ call: KernelCall) {
        withUnsafePointer(to: call) { entry($0) }
    }

    @inlinable public var columnsPerPanel: Int { layout.columnsPerPanel }
    @inlinable public var depthStep: Int { layout.depthStep }
}

extension KernelSet {
    /// All kernel sets of this architecture, the best last. The first is the reference and runs everywhere.
    public static let all: [KernelSet] = [scalar] + vector

    /// The scalar reference, and the float32 kernels as the whole program is compiled, with checks of arithmetic.
    private static let portable: Entry = { $0.assumingMemoryBound(to: KernelCall.self).pointee.performReference() }

    private static let scalar = KernelSet("scalar", requires: .none, layout: ScalarShape.layout, integer: portable)

    #if arch(x86_64)
    private static let vector = [
        KernelSet("avx2", requires: .avx2, layout: AVX2Shape.layout, integer: fcclip_avx2),
        KernelSet("vnni", requires: .avx512VNNI, layout: VNNIShape.layout, integer: fcclip_vnni),
    ]
    #elseif arch(arm64)
    private static let vector = [
        KernelSet("neon", requires: .none, layout: NEONShape.layout, integer: fcclip_neon),
        KernelSet("dotprod", requires: .dotProduct, layout: DotProdShape.layout, integer: fcclip_dotprod, float: fcclip_neon),
        // The depthwise convolution is that of dotprod, which every such processor supports: `smmla` would not make it faster.
        KernelSet(
            "i8mm", requires: .matrixProduct, layout: I8MMShape.layout, integer: fcclip_i8mm, depthwise7x7: fcclip_dotprod, float: fcclip_neon),
    ]
    #else
    private static let vector: [KernelSet] = []
    #endif

    /// The set called `name`, or nil when this architecture has none of that name.
    public static func named(_ name: String) -> KernelSet? {
        all.first { "\($0.name)" == name }
    }
}
