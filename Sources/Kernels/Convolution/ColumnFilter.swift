/// The operations that an instruction set provides for the generic int8 depthwise convolution. It processes as many channels at a time as a `Row` has bytes.
public protocol ColumnFilter {
    /// The channels of one pixel.
    associatedtype Row: SIMD where Row.Scalar == Int8
    /// Eight rows, arranged so that the rows of a channel can be summed.
    associatedtype Column
    /// One int32 for each channel.
    associatedtype ColumnSums

    /// The initial sums of an output, given the columns of taps of its filter.
    static func start(_ taps: InlineArray<7, Column>) -> ColumnSums
    /// The value of columns outside the map; nil where they can be skipped.
    static var outside: Column? { get }
    static func column(_ rows: InlineArray<8, Row>) -> Column
    /// A column of pixels, for instruction sets that arrange pixels and taps differently.
    static func pixels(_ column: Column) -> Column
    /// Adds to each channel the products of its eight rows; exact for taps of -127...127 and any pixels.
    static func multiplyAdd(_ sums: inout ColumnSums, _ pixels: Column, _ taps: Column)
    /// Writes the first `count` channels.
    static func store(_ sums: ColumnSums, _ pointer: UnsafeMutablePointer<Int32>, count: Int)
}

extension ColumnFilter {
    @inlinable @inline(__always) public static var outside: Column? { nil }
    @inlinable @inline(__always) public static func pixels(_ column: Column) -> Column { column }
}

/// One output row of the depthwise 7x7 convolution.
///
/// The seven rows under the filter, and an eighth of zeros, are arranged column by column. Each column is multiplied with its weights once for
/// each of the seven outputs that it contributes to:
///
///     columns   x-3  x-2  x-1   x   x+1  x+2  x+3
///     output x   0    1    2    3    4    5    6     kx
///
/// Seven sums are kept in registers; the oldest is complete after its last column. Columns outside the map are skipped, or have the value
/// `Filter.outside`.
@inlinable @inline(__always)
public func columnwiseDepthwise7x7<Filter: ColumnFilter>(
    _: Filter.Type, _ convolution: Depthwise7x7
) {
    let width = convolution.width
    let channels = convolution.channels
    let weights = convolution.weights
    let row = convolution.row
    let y = convolution.sums
    let rows = max(0, 3 - row)..<min(7, convolution.height + 3 - row)
    for channel in stride(from: 0, to: channels, by: Filter.Row.scalarCount) {
        let origin = convolution.x + (row - 3) * width * channels + channel
        if channel + Filter.Row.scalarCount <= channels {
            filterGroup(
                Filter.self, origin, rows: rows, width: width, channels: channels, weights + channel, into: y + channel,
                used: Filter.Row.scalarCount)
        } else {
            filterGroup(
                Filter.self, origin, rows: rows, width: width, channels: channels, weights + channel, into: y + channel,
                used: channels - channel)
        }
    }
}

/// `used` channels (at most a row's) of an output row, of which the filter's rows `rows` are inside the map.
@inlinable @inline(__always)
func filterGroup<Filter: ColumnFilter>(
    _: Filter.Type, _ origin: UnsafePointer<Int8>, rows: Range<Int>, width: Int, channels: Int, _ weights: UnsafePointer<Int8>,
    into y: UnsafeMutablePointer<Int32>, used: Int
) {
    // For a row outside the map the taps are zero and a row inside is read in its place, so that no column needs a test.
    var offsets = InlineArray<7, Int>(repeating: 0)
    var tapOffsets = offsets
    for row in 0..<7 {
        offsets[row] = max(rows.lowerBound, min(row, rows.upperBound - 1)) * width * channels
        tapOffsets[row] = row * 7 * channels
    }
    var taps = InlineArray<7, Filter.Column>(repeating: Filter.column(InlineArray(repeating: Filter.Row())))
    for kx in 0..<7 { taps[kx] = column(Filter.self, weights + kx * channels, offsets: tapOffsets, rows: rows, used: used) }
    let start = Filter.start(taps)
    var sums = SevenSums(start)
    // The column at `position` is tap 6 - k of output `position - 3 + k`, whose sums are the window's k-th.
    if let outside = Filter.outside {
        for _ in 0..<3 {
            sums.add(Filter.self, outside, taps)
            _ = sums.advance(start)
        }
    }
    for position in 0..<width + 3 {
        if position < width {
            let pixels = column(Filter.self, origin + position * channels, offsets: offsets, rows: 0..<7, used: used)
            sums.add(Filter.self, Filter.pixels(pixels), taps)
        } else if let outside = Filter.outside {
            sums.add(Filter.self, outside, taps)
        }
        let oldest = sums.advance(start)
        if position >= 3 { Filter.store(oldest, y + (position - 3) * channels, count: used) }
    }
}

/// The sums of seven outputs. Seven properties, because the compiler would keep an array in memory.
@usableFromInline
struct SevenSums<Sums> {
    @usableFromInline var first, second, third, fourth, fifth, sixth, seventh: Sums

    @inlinable @inline(__always)
    init(_ start: Sums) {
        (first, second, third, fourth, fifth, sixth, seventh) = (start, start, start, start, start, start, start)
    }

    @inlinable @inline(__always)
    mutating func add<Filter: ColumnFilter>(_: Filter.Type, _ pixels: Filter.Column, _ taps: InlineArray<7, Filter.Column>)
    where Filter.ColumnSums == Sums {
        Filter.multiplyAdd(&first, pixels, taps[6])
        Filter.multiplyAdd(&second, pixels, taps[5])
        Filter.multiplyAdd(&third, pixels, taps[4])
        Filter.multiplyAdd(&fourth, pixels, taps[3])
        Filter.multiplyAdd(&fifth, pixels, taps[2])
        Filter.multiplyAdd(&sixth, pixels, taps[1])
        Filter.multiplyAdd(&seventh, pixels, taps[0])
    }

    /// Removes and returns the oldest sums, and adds `start` as the newest.
    @inlinable @inline(__always)
    mutating func advance(_ start: Sums) -> Sums {
        let oldest = first
        (first, second, third, fourth, fifth, sixth, seventh) = (second, third, fourth, fifth, sixth, seventh, start)
        return oldest
    }
}

/// The rows `rows` (of 0...6, the others zero) of `used` channels (the others zero).
@inlinable @inline(__always)
func column<Filter: ColumnFilter>(
    _: Filter.Type, _ pointer: UnsafePointer<Int8>, offsets: InlineArray<7, Int>, rows: Range<Int>, used: Int
) -> Filter.Column {
    var eight = InlineArray<8, Filter.Row>(repeating: Filter.Row())
    for row in 0..<7 where rows.contains(row) {
        let source = pointer + offsets[row]
        if used == Filter.Row.scalarCount {
            eight[row] = UnsafeRawPointer(source).loadUnaligned(as: Filter.Row.self)
        } else {
            for channel in 0..<used { eight[row][channel] = source[channel] }
        }
    }
    return Filter.column(eight)
}
