/// What the generic GEMM needs to know of an instruction set: see `GemmShape` for the numbers.
public protocol InstructionSet {
    associatedtype Shape: GemmShape
    /// `rows` by `lanes` sums, in any arrangement.
    associatedtype Sums
    /// `depth` depths for each column.
    associatedtype Weights
    /// `depth` depths of each row, ready to meet every column.
    associatedtype Activations

    static var zero: Sums { get }
    /// Sums that begin with the `lanes` times Int32 at `pointer`, which make up for the activations' offset.
    static func sums(_ pointer: UnsafePointer<Int8>) -> Sums
    /// Loads `depth / depthStep` groups of `lanes * depthStep` bytes, `groupStride` bytes apart.
    static func loadWeights(_ pointer: UnsafePointer<Int8>, groupStride: Int) -> Weights
    /// Loads the rows at `pointer`, `stride` bytes apart.
    static func loadActivations(_ pointer: UnsafePointer<Int8>, stride: Int) -> Activations
    /// Adds to each sum its `depth` products; exact for weights of -127...127 and any activations.
    static func multiplyAdd(_ sums: inout Sums, _ activations: Activations, _ weights: Weights)
    /// The same activations, of which the compiler knows nothing any more.
    static func opaque(_ activations: Activations) -> Activations
    /// Writes the first `rows` rows, `stride` sums apart, and of each the first `columns` lanes: all of them when `columns` is larger,
    /// none when it is negative.
    static func store(_ sums: Sums, _ pointer: UnsafeMutablePointer<Int32>, stride: Int, rows: Int, columns: Int)
}

extension InstructionSet {
    @inlinable @inline(__always) public static var rows: Int { Shape.rows }
    @inlinable @inline(__always) public static var lanes: Int { Shape.lanes }
    @inlinable @inline(__always) public static var depth: Int { Shape.depth }
    @inlinable @inline(__always) public static var depthStep: Int { Shape.depthStep }
    @inlinable @inline(__always) public static var activationOffset: Int32 { Shape.activationOffset }
    @inlinable public static func sums(_ pointer: UnsafePointer<Int8>) -> Sums { zero }
}
