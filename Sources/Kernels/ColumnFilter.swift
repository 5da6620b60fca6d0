/// What the generic int8 depthwise convolution needs to know of an instruction set: eight channels at a time.
public protocol ColumnFilter {
    /// Eight rows of eight channels, arranged so that the rows of a channel can be summed.
    associatedtype Column
    /// One int32 for each of eight channels.
    associatedtype ColumnSums

    static var zeroSums: ColumnSums { get }
    /// Arranges eight rows; byte `c` of each is its channel `c`.
    static func column(_ rows: InlineArray<8, Int64>) -> Column
    /// Adds to each channel the products of its eight rows; exact for taps of -127...127 and any pixels.
    static func multiplyAdd(_ sums: inout ColumnSums, _ pixels: Column, _ taps: Column)
    /// Writes the first `count` channels.
    static func store(_ sums: ColumnSums, _ pointer: UnsafeMutablePointer<Int32>, count: Int)
}

/// One output row of the depthwise 7x7 convolution; the contract is that of `KernelTable.depthwise7x7`.
///
/// The seven rows under the filter, and an eighth of zeros, are arranged column by column. Each column meets its weights once for each of
/// the seven outputs that it touches:
///
///     columns   x-3  x-2  x-1   x   x+1  x+2  x+3
///     output x   0    1    2    3    4    5    6     kx
///
/// Seven sums travel in registers; the oldest is complete when its last column has passed.
@inlinable @inline(__always)
public func columnwiseDepthwise7x7<Filter: ColumnFilter>(
    _: Filter.Type, _ x: UnsafePointer<Int8>, height: Int, width: Int, channels: Int, weights: UnsafePointer<Int8>, row: Int,
    into y: UnsafeMutablePointer<Int32>
) {
    let rows = max(0, 3 - row)..<min(7, height + 3 - row)
    for channel in stride(from: 0, to: channels, by: 8) {
        let origin = x + (row - 3) * width * channels + channel
        if channel + 8 <= channels {
            filterEight(Filter.self, origin, rows: rows, width: width, channels: channels, weights + channel, into: y + channel, used: 8)
        } else {
            filterEight(
                Filter.self, origin, rows: rows, width: width, channels: channels, weights + channel, into: y + channel,
                used: channels - channel)
        }
    }
}

/// `used` channels (1...8) of an output row, of which the filter's rows `rows` lie inside the map.
@inlinable @inline(__always)
func filterEight<Filter: ColumnFilter>(
    _: Filter.Type, _ origin: UnsafePointer<Int8>, rows: Range<Int>, width: Int, channels: Int, _ weights: UnsafePointer<Int8>,
    into y: UnsafeMutablePointer<Int32>, used: Int
) {
    // A row outside the map counts by taps of zero; a row inside is read in its place, so that no column asks again.
    var offsets = InlineArray<7, Int>(repeating: 0), tapOffsets = offsets
    for row in 0..<7 {
        offsets[row] = max(rows.lowerBound, min(row, rows.upperBound - 1)) * width * channels
        tapOffsets[row] = row * 7 * channels
    }
    var taps = InlineArray<7, Filter.Column>(repeating: Filter.column(InlineArray(repeating: 0)))
    for kx in 0..<7 { taps[kx] = column(Filter.self, weights + kx * channels, offsets: tapOffsets, rows: rows, used: used) }
    // sums[k] belongs to output `position - 3 + k`; this column is its tap 6 - k.
    var sums = InlineArray<7, Filter.ColumnSums>(repeating: Filter.zeroSums)
    for position in 0..<width + 3 {
        if position < width {
            let pixels = column(Filter.self, origin + position * channels, offsets: offsets, rows: 0..<7, used: used)
            // Written out: as a loop, its sums would stay in memory.
            Filter.multiplyAdd(&sums[0], pixels, taps[6])
            Filter.multiplyAdd(&sums[1], pixels, taps[5])
            Filter.multiplyAdd(&sums[2], pixels, taps[4])
            Filter.multiplyAdd(&sums[3], pixels, taps[3])
            Filter.multiplyAdd(&sums[4], pixels, taps[2])
            Filter.multiplyAdd(&sums[5], pixels, taps[1])
            Filter.multiplyAdd(&sums[6], pixels, taps[0])
        }
        if position >= 3 { Filter.store(sums[0], y + (position - 3) * channels, count: used) }
        for k in 0..<6 { sums[k] = sums[k + 1] }
        sums[6] = Filter.zeroSums
    }
}

/// The rows `rows` (of 0...6, the others zero) of `used` channels (1...8, the others zero).
@inlinable @inline(__always)
func column<Filter: ColumnFilter>(
    _: Filter.Type, _ pointer: UnsafePointer<Int8>, offsets: InlineArray<7, Int>, rows: Range<Int>, used: Int
) -> Filter.Column {
    var eight = InlineArray<8, Int64>(repeating: 0)
    for row in 0..<7 where rows.contains(row) {
        let source = pointer + offsets[row]
        if used == 8 {
            eight[row] = UnsafeRawPointer(source).loadUnaligned(as: Int64.self)
        } else {
            for channel in 0..<used { eight[row] |= Int64(UInt8(bitPattern: source[channel])) << Int64(channel * 8) }
        }
    }
    return Filter.column(eight)
}
