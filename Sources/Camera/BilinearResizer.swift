import Kernels

/// Resizes RGB8 pictures exactly as Pillow's `Image.resize(size, Image.BILINEAR)` does: a triangle filter that widens when
/// shrinking (antialiasing), in fixed point, horizontally first, with 8-bit values in between. A pass that would not
/// change the size is left out. (Pillow 13 turns the passes around for some distorting sizes; its predecessors, and this, never do.)
///
/// Owns its tables and the intermediate picture: repeated sizes allocate nothing.
public final class BilinearResizer {
    private var horizontal = Taps()
    private var vertical = Taps()
    /// The picture after the horizontal pass.
    private var between = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
    private var betweenCapacity = 1
    /// One row of 32-bit sums.
    private var sums = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    private var sumsCapacity = 1

    public init() {}

    /// - Parameters:
    ///   - source: `sourceSize.area * 3` bytes.
    ///   - target: `targetSize.area * 3` bytes, written; must not overlap the source.
    public func resize(
        _ source: UnsafePointer<UInt8>, size sourceSize: Size, into target: UnsafeMutablePointer<UInt8>, size targetSize: Size
    ) {
        let isWidthKept = sourceSize.width == targetSize.width, isHeightKept = sourceSize.height == targetSize.height
        horizontal.prepare(from: sourceSize.width, to: targetSize.width)
        vertical.prepare(from: sourceSize.height, to: targetSize.height)
        if isHeightKept {
            if isWidthKept {
                target.update(from: source, count: targetSize.area * 3)
            } else {
                resizeRows(source, sourceSize, into: target, targetSize.width)
            }
            return
        }
        if isWidthKept {
            resizeColumns(source, width: targetSize.width, into: target, targetSize.height)
            return
        }
        let bytes = sourceSize.height * targetSize.width * 3
        if bytes > betweenCapacity {
            between.deallocate()
            between = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes)
            betweenCapacity = bytes
        }
        resizeRows(source, sourceSize, into: between, targetSize.width)
        resizeColumns(between, width: targetSize.width, into: target, targetSize.height)
    }

    private func resizeRows(_ source: UnsafePointer<UInt8>, _ size: Size, into target: UnsafeMutablePointer<UInt8>, _ width: Int) {
        for y in 0..<size.height {
            let row = source + y * size.width * 3
            var pixel = target + y * width * 3
            for x in 0..<width {
                var tap = row + Int(horizontal.starts[x]) * 3
                var red = Taps.half, green = Taps.half, blue = Taps.half
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
    }

    private func resizeColumns(_ source: UnsafePointer<UInt8>, width: Int, into target: UnsafeMutablePointer<UInt8>, _ height: Int) {
        let bytes = width * 3
        if bytes > sumsCapacity {
            sums.deallocate()
            sums = UnsafeMutablePointer<Int32>.allocate(capacity: bytes)
            sumsCapacity = bytes
        }
        let sums = self.sums
        for y in 0..<height {
            sums.update(repeating: Taps.half, count: bytes)
            for index in 0..<Int(vertical.counts[y]) {
                let row = source + (Int(vertical.starts[y]) + index) * bytes
                let weight = vertical.weights[y * vertical.stride + index]
                for x in 0..<bytes { sums[x] &+= weight &* Int32(row[x]) }
            }
            let row = target + y * bytes
            for x in 0..<bytes { row[x] = Taps.clip(sums[x]) }
        }
    }

    deinit {
        between.deallocate()
        sums.deallocate()
    }
}

/// The filter of one axis: for every output position the first input position, how many, and their weights.
private struct Taps: ~Copyable {
    /// Weights are fixed point with this many fraction bits: 32 - 8 (pixel) - 2 (headroom).
    static let fractionBits: Int32 = 22
    static let half: Int32 = 1 << (fractionBits - 1)

    private var from = 0, to = 0
    private var capacity = (positions: 0, weights: 0)
    private(set) var stride = 0
    private(set) var starts = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    private(set) var counts = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
    private(set) var weights = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

    static func clip(_ sum: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: max(0, min(255, sum >> fractionBits)))
    }

    mutating func prepare(from: Int, to: Int) {
        guard from != self.from || to != self.to else { return }
        self.from = from
        self.to = to
        let scale = Double(from) / Double(to), support = max(scale, 1), narrowing = 1 / support
        stride = Int(support.rounded(.up)) * 2 + 1
        reserve(positions: to, weights: to * stride)
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
                let share = total == 0 ? weight(index) : weight(index) / total
                weights[position * stride + index] = Int32(0.5 + share * Double(1 << Int(Taps.fractionBits)))
            }
        }
    }

    private mutating func reserve(positions: Int, weights count: Int) {
        if positions > capacity.positions {
            starts.deallocate()
            counts.deallocate()
            starts = UnsafeMutablePointer<Int32>.allocate(capacity: positions)
            counts = UnsafeMutablePointer<Int32>.allocate(capacity: positions)
            capacity.positions = positions
        }
        if count > capacity.weights {
            weights.deallocate()
            weights = UnsafeMutablePointer<Int32>.allocate(capacity: count)
            capacity.weights = count
        }
    }

    deinit {
        starts.deallocate()
        counts.deallocate()
        weights.deallocate()
    }
}
