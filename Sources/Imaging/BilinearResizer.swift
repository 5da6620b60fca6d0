import Kernels
import System

/// Resizes RGB8 pictures exactly as Pillow's `Image.resize(size, Image.BILINEAR)` does: a triangle filter that widens when
/// shrinking (antialiasing), in fixed point, horizontally first, with 8-bit values in between. A pass that would not
/// change the size is left out. (Pillow 13 turns the passes around for some distorting sizes; its predecessors, and this, never do.)
///
/// Rows are requested one at a time, and no more of them are kept than the filter is high. Owns its tables and these rows: repeated
/// sizes allocate nothing.
public final class BilinearResizer {
    private var horizontal = Taps()
    private var vertical = Taps()
    /// The last rows after the horizontal pass, as many as the vertical filter is high: row y at place y modulo their number.
    private var rows = GrowingBuffer<UInt8>()
    /// One row of 32-bit sums.
    private var sums = GrowingBuffer<Int32>()

    public init() {}

    /// - Parameters:
    ///   - source: `sourceSize.area * 3` bytes.
    ///   - target: `targetSize.area * 3` bytes, written; must not overlap the source.
    public func resize(
        _ source: UnsafePointer<UInt8>, size sourceSize: Size, into target: UnsafeMutablePointer<UInt8>, size targetSize: Size
    ) {
        resize(size: sourceSize, into: target, size: targetSize) { source + $0 * sourceSize.width * 3 }
    }

    /// - Parameters:
    ///   - target: `targetSize.area * 3` bytes, written.
    ///   - row: gives a row's `sourceSize.width * 3` bytes, valid until the next call; called once for each row, from the top.
    public func resize(
        size sourceSize: Size, into target: UnsafeMutablePointer<UInt8>, size targetSize: Size, row: (Int) -> UnsafePointer<UInt8>
    ) {
        horizontal.prepare(from: sourceSize.width, to: targetSize.width)
        vertical.prepare(from: sourceSize.height, to: targetSize.height)
        let width = targetSize.width
        let bytes = width * 3
        let isWidthKept = sourceSize.width == width
        func narrow(_ y: Int, into narrowed: UnsafeMutablePointer<UInt8>) {
            let source = row(y)
            if isWidthKept { narrowed.update(from: source, count: bytes) } else { resizeRow(source, into: narrowed, width) }
        }
        if sourceSize.height == targetSize.height {
            for y in 0..<targetSize.height { narrow(y, into: target + y * bytes) }
            return
        }
        let height = vertical.stride
        rows.reserve(height * bytes)
        sums.reserve(bytes)
        var next = 0
        for y in 0..<targetSize.height {
            let start = Int(vertical.starts[y])
            let count = Int(vertical.counts[y])
            while next < start + count {
                narrow(next, into: rows.base + next % height * bytes)
                next += 1
            }
            blend(start..<start + count, weights: vertical.weights + y * height, height: height, count: bytes, into: target + y * bytes)
        }
    }

    private func resizeRow(_ row: UnsafePointer<UInt8>, into narrowed: UnsafeMutablePointer<UInt8>, _ width: Int) {
        var pixel = narrowed
        for x in 0..<width {
            var tap = row + Int(horizontal.starts[x]) * 3
            var red = Taps.half
            var green = Taps.half
            var blue = Taps.half
            let weights = horizontal.weights + x * horizontal.stride
            for index in 0..<Int(horizontal.counts[x]) {
                let weight = weights[index]
                red &+= weight &* Int32(tap[0])
                green &+= weight &* Int32(tap[1])
                blue &+= weight &* Int32(tap[2])
                tap += 3
            }
            pixel[0] = Taps.clip(red)
            pixel[1] = Taps.clip(green)
            pixel[2] = Taps.clip(blue)
            pixel += 3
        }
    }

    /// The weighted sum of the source's rows `range`, all among the last `height`.
    private func blend(_ range: Range<Int>, weights: UnsafePointer<Int32>, height: Int, count: Int, into target: UnsafeMutablePointer<UInt8>) {
        let sums = sums.base
        sums.update(repeating: Taps.half, count: count)
        for y in range {
            let row = rows.base + y % height * count
            let weight = weights[y - range.lowerBound]
            for x in 0..<count { sums[x] &+= weight &* Int32(row[x]) }
        }
        for x in 0..<count { target[x] = Taps.clip(sums[x]) }
    }
}

/// The filter of one axis: for every output position the first input position, how many, and their weights.
private struct Taps: ~Copyable {
    /// Weights are fixed point with this many fraction bits: 32 - 8 (pixel) - 2 (headroom).
    static let fractionBits: Int32 = 22
    static let half: Int32 = 1 << (fractionBits - 1)

    private var from = 0, to = 0
    private(set) var stride = 0
    private var startValues = GrowingBuffer<Int32>(), countValues = GrowingBuffer<Int32>(), weightValues = GrowingBuffer<Int32>()
    var starts: UnsafeMutablePointer<Int32> { startValues.base }
    var counts: UnsafeMutablePointer<Int32> { countValues.base }
    var weights: UnsafeMutablePointer<Int32> { weightValues.base }

    static func clip(_ sum: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: max(0, min(255, sum >> fractionBits)))
    }

    mutating func prepare(from: Int, to: Int) {
        guard from != self.from || to != self.to else { return }
        self.from = from
        self.to = to
        let scale = Double(from) / Double(to)
        let support = max(scale, 1)
        let narrowing = 1 / support
        stride = Int(support.rounded(.up)) * 2 + 1
        startValues.reserve(to)
        countValues.reserve(to)
        weightValues.reserve(to * stride)
        for position in 0..<to {
            let centre = (Double(position) + 0.5) * scale
            let start = max(Int(centre - support + 0.5), 0)
            let count = min(Int(centre + support + 0.5), from) - start
            starts[position] = Int32(start)
            counts[position] = Int32(count)
            func weight(_ index: Int) -> Double {
                max(0, 1 - abs((Double(index + start) - centre + 0.5) * narrowing))
            }
            var total = 0.0
            for index in 0..<count { total += weight(index) }
            for index in 0..<count {
                let fraction = total == 0 ? weight(index) : weight(index) / total
                weights[position * stride + index] = Int32(0.5 + fraction * Double(1 << Int(Taps.fractionBits)))
            }
        }
    }
}
