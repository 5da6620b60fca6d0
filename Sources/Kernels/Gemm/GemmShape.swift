/// The numbers of an instruction set's GEMM, from which the layout of its packed weights follows. K, the dimension that is summed over, is called
/// depth. One step multiplies `depth` consecutive values along K of `rows` rows with those of `lanes` columns, and adds them to int32 sums.
public protocol GemmShape {
    static var rows: Int { get }
    static var lanes: Int { get }
    static var depth: Int { get }
    /// Consecutive weights of one column that are adjacent when packed; divides `depth`.
    static var depthStep: Int { get }
    /// Added to activations: 0, or 128 for instructions that read them as unsigned bytes.
    static var activationOffset: Int32 { get }
    /// Rows of a tile, in units of `rows`.
    static var tileRows: Int { get }
    /// Vectors of `lanes` columns in a panel of packed weights.
    static var panelVectors: Int { get }
}

extension GemmShape {
    /// Rows that are copied together before a GEMM, interleaved or with an offset; 0 if rows are read in place.
    @inlinable @inline(__always) public static var stagedRows: Int { rows > 1 ? rows : activationOffset != 0 ? 1 : 0 }

    public static var layout: PackedLayout {
        PackedLayout(columnsPerPanel: panelVectors * lanes, depthStep: depthStep, depthBlock: depth, activationOffset: activationOffset)
    }
}

/// A tile: `rows` times the unit's rows by `vectors` times its lanes, which is also a panel of packed weights.
public enum TileShape<let rows: Int, let vectors: Int> {}

/// A `GemmShape` of numbers: rows, lanes, depth, depth step and offset of the unit, rows and vectors of the tile.
public enum Unit<let R: Int, let L: Int, let D: Int, let S: Int, let O: Int, let TR: Int, let TV: Int>: GemmShape {
    public typealias Tile = TileShape<TR, TV>

    @inlinable @inline(__always) public static var rows: Int { R }
    @inlinable @inline(__always) public static var lanes: Int { L }
    @inlinable @inline(__always) public static var depth: Int { D }
    @inlinable @inline(__always) public static var depthStep: Int { S }
    @inlinable @inline(__always) public static var activationOffset: Int32 { Int32(truncatingIfNeeded: O) }
    @inlinable @inline(__always) public static var tileRows: Int { TR }
    @inlinable @inline(__always) public static var panelVectors: Int { TV }
}

/// The scalar reference: one multiplication at a time.
public typealias ScalarShape = Unit<1, 8, 4, 4, 0, 1, 1>
/// `vpsignb vpmaddubsw vpmaddwd`.
public typealias AVX2Shape = Unit<1, 8, 4, 4, 0, 2, 4>
/// `vpdpbusd`.
public typealias VNNIShape = Unit<1, 16, 4, 4, 128, 4, 4>
/// `smull smlal2 sadalp`.
public typealias NEONShape = Unit<1, 4, 16, 16, 0, 4, 1>
/// `sdot`.
public typealias DotProdShape = Unit<1, 4, 16, 4, 0, 8, 2>
/// `smmla`.
public typealias I8MMShape = Unit<2, 4, 16, 8, 0, 2, 4>
