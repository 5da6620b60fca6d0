/// A view of float32 values, `rows` x `columns`, row-major and dense. It does not own its memory.
///
/// Feature maps are matrices with one row per pixel (row-major over the map) and one column per channel.
public struct Matrix {
    public let base: UnsafeMutablePointer<Float>
    public let rows, columns: Int

    @inlinable
    public init(_ base: UnsafeMutablePointer<Float>, rows: Int, columns: Int) {
        self.base = base
        self.rows = rows
        self.columns = columns
    }

    @inlinable public var count: Int { rows * columns }

    @inlinable
    public func row(_ index: Int) -> UnsafeMutablePointer<Float> {
        base + index * columns
    }

    /// Rows `range` as a matrix; shares the memory.
    @inlinable
    public func rows(_ range: Range<Int>) -> Matrix {
        Matrix(base + range.lowerBound * columns, rows: range.count, columns: columns)
    }

    @inlinable
    public subscript(row: Int, column: Int) -> Float {
        get { base[row * columns + column] }
        nonmutating set { base[row * columns + column] = newValue }
    }
}

/// Height and width of a picture or feature map, in pixels.
public struct Size: Equatable, Sendable {
    public let height: Int
    public let width: Int

    @inlinable
    public init(height: Int, width: Int) {
        self.height = height
        self.width = width
    }

    @inlinable public var area: Int { height * width }
}
