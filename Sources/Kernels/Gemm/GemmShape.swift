/// The numbers of an instruction set's GEMM: its unit takes `depth` consecutive depths of `rows` rows and of `lanes` columns, and adds their
/// products to int32 sums. The layout of packed weights follows from them.
public protocol GemmShape {
    static var rows: Int { get }
    static var lanes: Int { get }
    static var depth: Int { get }
    /// Consecutive depths of one column that lie together in packed weights; divides `depth`.
    static var depthStep: Int { get }
    /// 0, or 128 where activations become unsigned.
    static var activationOffset: Int32 { get }
    /// Panels have so many times `lanes` columns.
    static var panelVectors: Int { get }
}

extension GemmShape {
    @inlinable @inline(__always) public static var activationOffset: Int32 { 0 }

    public static var layout: PackedLayout {
        PackedLayout(columnsPerPanel: panelVectors * lanes, depthStep: depthStep, depthBlock: depth, activationOffset: activationOffset)
    }
}

/// Names a tile: `rows` times the unit's rows by `vectors` times its lanes.
public enum TileShape<let rows: Int, let vectors: Int> {}

/// The reference: one product at a time.
public enum ScalarShape: GemmShape {
    public static var rows: Int { 1 }
    public static var lanes: Int { 8 }
    public static var depth: Int { 4 }
    public static var depthStep: Int { 4 }
    public static var panelVectors: Int { 1 }
}

/// `vpsignb vpmaddubsw vpmaddwd`.
public enum AVX2Shape: GemmShape {
    public typealias Tile = TileShape<2, 4>

    @inlinable @inline(__always) public static var rows: Int { 1 }
    @inlinable @inline(__always) public static var lanes: Int { 8 }
    @inlinable @inline(__always) public static var depth: Int { 4 }
    @inlinable @inline(__always) public static var depthStep: Int { 4 }
    @inlinable @inline(__always) public static var panelVectors: Int { Tile.vectors }
}

/// `vpdpbusd`.
public enum VNNIShape: GemmShape {
    public typealias Tile = TileShape<4, 4>
    /// For a last panel of few columns.
    public typealias NarrowTile = TileShape<8, 2>

    @inlinable @inline(__always) public static var rows: Int { 1 }
    @inlinable @inline(__always) public static var lanes: Int { 16 }
    @inlinable @inline(__always) public static var depth: Int { 4 }
    @inlinable @inline(__always) public static var depthStep: Int { 4 }
    @inlinable @inline(__always) public static var activationOffset: Int32 { 128 }
    @inlinable @inline(__always) public static var panelVectors: Int { Tile.vectors }
}

/// `smull smlal2 sadalp`.
public enum NEONShape: GemmShape {
    public typealias Tile = TileShape<4, 1>

    @inlinable @inline(__always) public static var rows: Int { 1 }
    @inlinable @inline(__always) public static var lanes: Int { 4 }
    @inlinable @inline(__always) public static var depth: Int { 16 }
    @inlinable @inline(__always) public static var depthStep: Int { 16 }
    @inlinable @inline(__always) public static var panelVectors: Int { Tile.vectors }
}

/// `sdot`.
public enum DotProdShape: GemmShape {
    public typealias Tile = TileShape<8, 2>

    @inlinable @inline(__always) public static var rows: Int { 1 }
    @inlinable @inline(__always) public static var lanes: Int { 4 }
    @inlinable @inline(__always) public static var depth: Int { 16 }
    @inlinable @inline(__always) public static var depthStep: Int { 4 }
    @inlinable @inline(__always) public static var panelVectors: Int { Tile.vectors }
}

/// `smmla`.
public enum I8MMShape: GemmShape {
    public typealias Tile = TileShape<2, 4>

    @inlinable @inline(__always) public static var rows: Int { 2 }
    @inlinable @inline(__always) public static var lanes: Int { 4 }
    @inlinable @inline(__always) public static var depth: Int { 16 }
    @inlinable @inline(__always) public static var depthStep: Int { 8 }
    @inlinable @inline(__always) public static var panelVectors: Int { Tile.vectors }
}
