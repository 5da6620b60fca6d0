/// Rows of values that a kernel reads as floats, whatever they are stored as.
///
/// What is read is in steps: a real value is `scale` times what `load` returns. For int8 the steps are integers of at most 9 bits,
/// so that sums of up to 256 products of two of them are exact in float32.
public protocol Rows {
    var rows: Int { get }
    var scale: Float { get }
    /// Columns `column..<column + 16` of `row`.
    func load(_ row: Int, _ column: Int) -> Lanes
    /// One value.
    func load(_ row: Int, at column: Int) -> Float
}

extension Rows {
    /// The first `count` (0...16) lanes from `column` on, zero beyond.
    @usableFromInline @_transparent
    func load(_ row: Int, _ column: Int, count: Int) -> Lanes {
        if count == 16 { return load(row, column) }
        var lanes = splat(0)
        for lane in 0..<count { lanes[lane] = load(row, at: column + lane) }
        return lanes
    }
}

/// Float rows, `stride` values apart.
public struct FloatRows: Rows {
    public let base: UnsafePointer<Float>
    public let rows: Int
    public let stride: Int
    @inlinable public var scale: Float { 1 }

    @inlinable
    public init(_ base: UnsafePointer<Float>, rows: Int, stride: Int) {
        self.base = base
        self.rows = rows
        self.stride = stride
    }

    @inlinable
    public init(_ matrix: Matrix) {
        self.init(matrix.base, rows: matrix.rows, stride: matrix.columns)
    }

    @_transparent
    public func load(_ row: Int, _ column: Int) -> Lanes { Kernels.load(base + row * stride + column) }

    @_transparent
    public func load(_ row: Int, at column: Int) -> Float { base[row * stride + column] }
}

/// Quantized rows, `stride` bytes apart; a real value is `scale * (value - zeroPoint)`.
public struct Int8Rows: Rows {
    public let base: UnsafePointer<Int8>
    public let rows: Int
    public let stride: Int
    public let scale: Float
    /// -128...127.
    public let zeroPoint: Int32

    @inlinable
    public init(_ base: UnsafePointer<Int8>, rows: Int, stride: Int, scale: Float, zeroPoint: Int32) {
        self.base = base
        self.rows = rows
        self.stride = stride
        self.scale = scale
        self.zeroPoint = zeroPoint
    }

    @_transparent
    public func load(_ row: Int, _ column: Int) -> Lanes {
        widened(UnsafeRawPointer(base + row * stride + column).loadUnaligned(as: SIMD16<Int8>.self)) - Float(zeroPoint)
    }

    @_transparent
    public func load(_ row: Int, at column: Int) -> Float { Float(base[row * stride + column]) - Float(zeroPoint) }
}
