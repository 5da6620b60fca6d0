import CKernels

/// Where finished rows go; `stride` values lie between the rows.
public enum RowOutput {
    case floats(UnsafeMutablePointer<Float>, stride: Int)
    /// Added to what is there (the residual connection).
    case added(UnsafeMutablePointer<Float>, stride: Int)
    /// Quantized as `quantize` does, with a multiplier for each column.
    case int8(UnsafeMutablePointer<Int8>, stride: Int, multiplier: UnsafePointer<Float>, zeroPoint: Int32)

    /// Writes columns `column..<column + count` of `row`, `count` at most 16.
    @usableFromInline @_transparent
    func write(_ values: Lanes, row: Int, column: Int, count: Int) {
        switch self {
        case .floats(let y, let stride):
            store(values, y + row * stride + column, count: count)
        case .added(let y, let stride):
            let target = y + row * stride + column
            store(load(target, count: count) + values, target, count: count)
        case .int8(let y, let stride, let multiplier, let zeroPoint):
            let steps = values * load(multiplier + column, count: count) + Float(zeroPoint)
            store(rounded(steps), y + row * stride + column, count: count)
        }
    }
}

/// What becomes of the sums of a product before they leave the first-level cache:
///
///     y = activation(value + bias + vertical[row / period] + horizontal[row % period])
public struct Epilogue {
    public enum Values {
        /// Float(sum + offset) * scale; the addition wraps. `offset`, minus the zero point's share, and `scale` are per column.
        case sums(UnsafePointer<Int32>, offset: UnsafePointer<Int32>, scale: UnsafePointer<Float>)
        case floats(UnsafePointer<Float>)
    }

    /// Rows that are added, `width` values each; nil adds nothing.
    public struct Table {
        public let vertical: UnsafePointer<Float>
        public let horizontal: UnsafePointer<Float>?
        public let period: Int
        public let width: Int

        @inlinable
        public init(vertical: UnsafePointer<Float>, horizontal: UnsafePointer<Float>?, period: Int, width: Int) {
            (self.vertical, self.horizontal, self.period, self.width) = (vertical, horizontal, period, width)
        }
    }

    /// Beginning with the block's first row and column, `valuesStride` apart.
    public var values: Values
    public var valuesStride: Int
    /// The block, in numbers of the whole result, which all else is addressed by.
    public var rows: Range<Int>
    public var columns: Range<Int>
    public let bias: UnsafePointer<Float>
    public let table: Table?
    public let activation: Activation
    public let output: RowOutput

    @inlinable
    public init(
        values: Values, valuesStride: Int, rows: Range<Int>, columns: Range<Int>, bias: UnsafePointer<Float>, table: Table? = nil,
        activation: Activation = .none, output: RowOutput
    ) {
        (self.values, self.valuesStride, self.rows, self.columns) = (values, valuesStride, rows, columns)
        (self.bias, self.table, self.activation, self.output) = (bias, table, activation, output)
    }

    @inlinable @inline(__always)
    func perform<Path>(_: Path.Type) {
        for row in rows {
            // Residual rows lie far apart, each a few cache lines that the processor does not foresee.
            if case .added(let y, let stride) = output {
                for column in Swift.stride(from: columns.lowerBound, to: columns.upperBound, by: 16) {
                    kernels_prefetch(y + ((row + 8) * stride + column))
                }
            }
            let start = (row - rows.lowerBound) * valuesStride - columns.lowerBound
            let vertical = table.map { $0.vertical + row / $0.period * $0.width }
            var horizontal: UnsafePointer<Float>?
            if let table, let first = table.horizontal { horizontal = first + row % table.period * table.width }
            var column = columns.lowerBound
            while column < columns.upperBound {
                // The usual case apart, so that its lengths are known.
                if column + 16 <= columns.upperBound {
                    finish(row, column, count: 16, start: start, vertical, horizontal)
                } else {
                    finish(row, column, count: columns.upperBound - column, start: start, vertical, horizontal)
                }
                column += 16
            }
        }
    }

    @usableFromInline @_transparent
    func finish(
        _ row: Int, _ column: Int, count: Int, start: Int, _ vertical: UnsafePointer<Float>?, _ horizontal: UnsafePointer<Float>?
    ) {
        var value: Lanes
        switch values {
        case .sums(let sums, let offset, let scale):
            let total = kernels_add_words(load(sums + (start + column), count: count), load(offset + column, count: count))
            value = converted(total) * load(scale + column, count: count)
        case .floats(let floats):
            value = load(floats + (start + column), count: count)
        }
        value += load(bias + column, count: count)
        if let vertical { value += load(vertical + column, count: count) }
        if let horizontal { value += load(horizontal + column, count: count) }
        output.write(activation(value), row: row, column: column, count: count)
    }
}
