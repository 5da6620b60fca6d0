import CSIMD

/// The operations that an instruction set provides for the generic GEMM; `GemmShape` has its numbers.
public protocol InstructionSet {
    associatedtype Shape: GemmShape
    /// `rows` by `lanes` sums, in any arrangement.
    associatedtype Sums
    /// `depth` values along K of each column.
    associatedtype Weights
    /// `depth` values along K of each row, arranged for multiplication with any column.
    associatedtype Activations

    static var zero: Sums { get }
    /// Sums that begin with the `lanes` Int32 values at `pointer`, which compensate the activations' offset.
    static func sums(_ pointer: UnsafePointer<Int8>) -> Sums
    /// Loads `depth / depthStep` groups of `lanes * depthStep` bytes, `groupStride` bytes apart.
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> Weights
    /// Writes `count` activations, a multiple of 16, of `GemmShape.stagedRows` rows to `target`, with the offset and in the order in which
    /// `loadActivations` reads them. The second row is the first where one is staged.
    static func stage(_ first: UnsafePointer<Int8>, _ second: UnsafePointer<Int8>, count: Int, into target: UnsafeMutablePointer<Int8>)
    /// Loads `depth` values of `rows` rows: from where `stage` wrote them, if rows are staged.
    static func loadActivations(_ pointer: UnsafePointer<Int8>) -> Activations
    /// Adds to each sum its `depth` products; exact for weights of -127...127 and any activations.
    static func multiplyAdd(_ sums: inout Sums, _ activations: Activations, _ weights: Weights)
    /// The same activations, opaque to the compiler: for measurements.
    static func opaque(_ activations: Activations) -> Activations
    /// Writes all sums: `rows` rows, `stride` sums apart, of `lanes` each.
    static func store(_ sums: Sums, _ pointer: UnsafeMutablePointer<Int32>, stride: Int)
    /// Whether there is a `tileInOrder`.
    static var hasTileInOrder: Bool { get }
    /// A whole tile, with its instructions in an order for cores that issue them in order.
    static func tileInOrder(_ tile: UnsafePointer<simd_tile>)

    /// The kernels, by `tiledGemm`, `columnwiseDepthwise7x7` and `registerPeak`.
    static func perform(_ gemm: UnsafePointer<Gemm>)
    static func perform(_ convolution: UnsafePointer<Depthwise7x7>)
    static func perform(_ peak: UnsafePointer<RegisterPeak>)
    static func perform(_ kernel: UnsafePointer<FloatKernel>)
}

/// A call of one of an instruction set's kernels: the address of its arguments.
public enum KernelCall {
    case gemm(UnsafePointer<Gemm>)
    case depthwise7x7(UnsafePointer<Depthwise7x7>)
    case peak(UnsafePointer<RegisterPeak>)
    case float(UnsafePointer<FloatKernel>)

    /// The entry point of every instruction set. - Parameter call: the address of a `KernelCall`.
    @inlinable @inline(__always)
    public static func perform<ISA: InstructionSet>(_ call: UnsafeRawPointer, with _: ISA.Type) {
        switch call.assumingMemoryBound(to: KernelCall.self).pointee {
        case .gemm(let gemm): ISA.perform(gemm)
        case .depthwise7x7(let convolution): ISA.perform(convolution)
        case .peak(let peak): ISA.perform(peak)
        case .float(let kernel): ISA.perform(kernel)
        }
    }
}

extension KernelCall {
    /// The scalar reference of the int8 kernels; float32 kernels as compiled for every processor of the architecture.
    func performReference() {
        switch self {
        case .gemm(let gemm): gemm.pointee.performReference(layout: ScalarShape.layout)
        case .depthwise7x7(let convolution): convolution.pointee.performReference()
        case .peak(let peak): peak.pointee.performReference()
        case .float(let kernel): kernel.pointee.perform(Portable.self)
        }
    }
}

/// Sixteen bytes at any address.
@inlinable @inline(__always)
public func loadBytes(_ pointer: UnsafePointer<Int8>) -> SIMD16<Int8> {
    UnsafeRawPointer(pointer).loadUnaligned(as: SIMD16<Int8>.self)
}

/// Writes all lanes.
@inlinable @inline(__always)
public func storeLanes<Lanes: SIMD>(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Int32>) where Lanes.Scalar == Int32 {
    UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: Lanes.self)
}

/// Writes the first `columns` lanes: all when `columns` is larger, none when it is negative.
@inlinable @inline(__always)
public func storeLanes<Lanes: SIMD>(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Int32>, columns: Int) where Lanes.Scalar == Int32 {
    if columns >= Lanes.scalarCount {
        storeLanes(lanes, pointer)
    } else {
        for lane in 0..<max(columns, 0) { pointer[lane] = lanes[lane] }
    }
}

extension InstructionSet {
    @inlinable @inline(__always) public static var hasTileInOrder: Bool { false }
    @inlinable @inline(__always) public static func tileInOrder(_ tile: UnsafePointer<simd_tile>) {}
    @inlinable @inline(__always) public static var rows: Int { Shape.rows }
    @inlinable @inline(__always) public static var stagedRows: Int { Shape.stagedRows }
    @inlinable @inline(__always) public static var lanes: Int { Shape.lanes }
    @inlinable @inline(__always) public static var depth: Int { Shape.depth }
    @inlinable @inline(__always) public static var depthStep: Int { Shape.depthStep }
    @inlinable @inline(__always) public static var activationOffset: Int32 { Shape.activationOffset }
    @inlinable public static func sums(_ pointer: UnsafePointer<Int8>) -> Sums { zero }
    @inlinable @inline(__always)
    public static func stage(_ first: UnsafePointer<Int8>, _ second: UnsafePointer<Int8>, count: Int, into target: UnsafeMutablePointer<Int8>) {}
    /// For kernels that a set takes from elsewhere: see `KernelSet.all`.
    @inlinable @inline(__always) public static func perform(_ convolution: UnsafePointer<Depthwise7x7>) {}
    @inlinable @inline(__always) public static func perform(_ kernel: UnsafePointer<FloatKernel>) {}
}
