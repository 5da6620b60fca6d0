import CSIMD

/// The destination of finished rows, which are `stride` values apart.
public enum RowOutput {
    case floats(UnsafeMutablePointer<Float>, stride: Int)
    /// Added to the values in memory (the residual connection).
    case added(UnsafeMutablePointer<Float>, stride: Int)
    /// The same, then the larger of the sum and zero (ReLU).
    case rectifiedSum(UnsafeMutablePointer<Float>, stride: Int)
    /// Quantized as `quantize` does, with a multiplier for each column.
    case int8(UnsafeMutablePointer<Int8>, stride: Int, multiplier: UnsafePointer<Float>, zeroPoint: Int32)

    /// Whether negative values are written as zeros are: int8 whose least value stands for zero.
    @usableFromInline var makesNegativesZero: Bool {
        guard case .int8(_, _, _, let zeroPoint) = self else { return false }
        return zeroPoint == -128
    }

    /// Writes columns `column..<column + count` of `row`, `count` at most 16.
    @usableFromInline @_transparent
    func write(_ values: Lanes, row: Int, column: Int, count: Int) {
        switch self {
        case .floats(let y, let stride): store(values, y + row * stride + column, count: count)
        case .added(let y, let stride): add(values, y + row * stride + column, count)
        case .rectifiedSum(let y, let stride): rectify(values, y + row * stride + column, count)
        case .int8(let y, let stride, let multiplier, let zeroPoint):
            quantize(values, load(multiplier + column, count: count), zeroPoint, y + row * stride + column, count)
        }
    }

    /// The same of up to four rows from `row` on, of which there are `rows`.
    @usableFromInline @_transparent
    func write(_ values: FourLanes, row: Int, rows: Int, column: Int, count: Int) {
        switch self {
        case .floats(let y, let stride):
            values.forEach(rows) { store($0, y + (row + $1) * stride + column, count: count) }
        case .added(let y, let stride):
            values.forEach(rows) { add($0, y + (row + $1) * stride + column, count) }
        case .rectifiedSum(let y, let stride):
            values.forEach(rows) { rectify($0, y + (row + $1) * stride + column, count) }
        case .int8(let y, let stride, let multiplier, let zeroPoint):
            let multiplier = load(multiplier + column, count: count)
            values.forEach(rows) { quantize($0, multiplier, zeroPoint, y + (row + $1) * stride + column, count) }
        }
    }

    @usableFromInline @_transparent
    func add(_ values: Lanes, _ target: UnsafeMutablePointer<Float>, _ count: Int) {
        store(load(target, count: count) + values, target, count: count)
    }

    @usableFromInline @_transparent
    func rectify(_ values: Lanes, _ target: UnsafeMutablePointer<Float>, _ count: Int) {
        store(larger(load(target, count: count) + values, splat(0)), target, count: count)
    }

    @usableFromInline @_transparent
    func quantize(_ values: Lanes, _ multiplier: Lanes, _ zeroPoint: Int32, _ target: UnsafeMutablePointer<Int8>, _ count: Int) {
        store(rounded(values * multiplier + Float(zeroPoint)), target, count: count)
    }

    /// The same from `row` on.
    public func advanced(by row: Int) -> RowOutput {
        switch self {
        case .floats(let y, let stride): .floats(y + row * stride, stride: stride)
        case .added(let y, let stride): .added(y + row * stride, stride: stride)
        case .rectifiedSum(let y, let stride): .rectifiedSum(y + row * stride, stride: stride)
        case .int8(let y, let stride, let multiplier, let zeroPoint): .int8(y + row * stride, stride: stride, multiplier: multiplier, zeroPoint: zeroPoint)
        }
    }
}

/// The last step of a GEMM, while its sums are in the first-level cache:
///
///     y = activation(value + bias + vertical[row / period] + horizontal[row % period])
public struct Epilogue {
    public enum Values {
        /// Float(sum + offset) * scale; the addition wraps. `offset`, which compensates the zero point, and `scale` are per column.
        case sums(UnsafePointer<Int32>, offset: UnsafePointer<Int32>, scale: UnsafePointer<Float>)
        case floats(UnsafePointer<Float>)
        /// (256 * high + cross) * (256 * row scale) * column scale: the product of `HalvedRows`.
        case halves(high: UnsafePointer<Int32>, cross: UnsafePointer<Int32>, rowScales: UnsafePointer<Float>, columnScales: UnsafePointer<Float>)
        /// (value - mean) * factor; both per column.
        case normalized(UnsafePointer<Float>, means: UnsafePointer<Float>, factors: UnsafePointer<Float>)
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
    /// The block's rows and columns within the whole result; all other members are indexed by them.
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

    /// Prefetches the rows that will be added to: they are far apart, and the processor does not predict these short runs of cache lines.
    public func prefetch() {
        let (y, stride): (UnsafeMutablePointer<Float>, Int)
        switch output {
        case .added(let target, let width), .rectifiedSum(let target, let width): (y, stride) = (target, width)
        case .floats, .int8: return
        }
        for row in rows {
            for column in Swift.stride(from: columns.lowerBound, to: columns.upperBound, by: 16) { simd_prefetch(y + (row * stride + column)) }
        }
    }

    @inlinable @inline(__always)
    func perform<Registers: VectorRegisters>(_ registers: Registers.Type) {
        if Registers.registers >= 32, case .gelu = activation, table == nil, case .sums(let sums, let offset, let scale) = values,
            case .int8(let y, let stride, let multiplier, let zeroPoint) = output
        {
            performByTable(sums, offset, scale, y, stride, multiplier, zeroPoint, registers)
        } else {
            performExactly(registers)
        }
    }

    @inlinable @inline(__always)
    func performExactly<Registers>(_: Registers.Type) {
        // One loop for each activation: a test of the activation for every vector would cost as much as the cheaper ones.
        switch activation {
        case .none: forEachBlock { $0 }
        case .relu where output.makesNegativesZero: forEachBlock { $0 }
        case .relu: forEachBlock { $0.mapped { larger($0, splat(0)) } }
        case .gelu: forEachBlock { gelu($0) }
        }
    }

    @usableFromInline @_transparent
    func forEachBlock(_ activate: (FourLanes) -> FourLanes) {
        // Four rows at a time, whose operations are independent of each other, and all their columns before the next four rows. This order was
        // measured to be faster, perhaps because the lowest twelve bits of many rows' addresses agree.
        var row = rows.lowerBound
        while row < rows.upperBound {
            var column = columns.lowerBound
            // The usual case separately, so that its lengths are constants.
            while column + 16 <= columns.upperBound {
                finish(row, column, 16, activate)
                column += 16
            }
            if column < columns.upperBound { finish(row, column, columns.upperBound - column, activate) }
            row += 4
        }
    }

    /// `count` columns of up to four rows.
    @usableFromInline @_transparent
    func finish(_ row: Int, _ column: Int, _ count: Int, _ activate: (FourLanes) -> FourLanes) {
        let bias = load(bias + column, count: count)
        let last = rows.upperBound - 1
        // If fewer rows are left, the last one is repeated and written once.
        let block = (row, min(row + 1, last), min(row + 2, last), min(row + 3, last))
        var values = self.values(block, column, count) + FourLanes(bias, bias, bias, bias)
        if let table {
            values = values + each(block) { load(table.vertical + ($0 / table.period * table.width + column), count: count) }
            if let horizontal = table.horizontal {
                values = values + each(block) { load(horizontal + ($0 % table.period * table.width + column), count: count) }
            }
        }
        output.write(activate(values), row: row, rows: last + 1 - row, column: column, count: count)
    }

    @usableFromInline @_transparent
    func values(_ block: (Int, Int, Int, Int), _ column: Int, _ count: Int) -> FourLanes {
        let start = column - columns.lowerBound - rows.lowerBound * valuesStride
        switch values {
        case .sums(let sums, let offset, let scale):
            let offset = load(offset + column, count: count)
            let scale = load(scale + column, count: count)
            return each(block) { converted(simd_add_words(load(sums + ($0 * valuesStride + start), count: count), offset)) * scale }
        case .floats(let floats):
            return each(block) { load(floats + ($0 * valuesStride + start), count: count) }
        case .halves(let high, let cross, let rowScales, let columnScales):
            let scale = load(columnScales + column, count: count)
            return each(block) {
                let place = $0 * valuesStride + start
                let sums = converted(load(high + place, count: count)) * 256 + converted(load(cross + place, count: count))
                return sums * (256 * rowScales[$0 - rows.lowerBound]) * scale
            }
        case .normalized(let floats, let means, let factors):
            let mean = load(means + column, count: count)
            let factor = load(factors + column, count: count)
            return each(block) { (load(floats + ($0 * valuesStride + start), count: count) - mean) * factor }
        }
    }

    @usableFromInline @_transparent
    func each(_ block: (Int, Int, Int, Int), _ body: (_ row: Int) -> Lanes) -> FourLanes {
        FourLanes(body(block.0), body(block.1), body(block.2), body(block.3))
    }
}
