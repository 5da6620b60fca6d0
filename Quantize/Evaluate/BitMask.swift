import Kernels

/// A set of pixels, 64 to a word, row-major.
public struct BitMask {
    public let size: Size
    public private(set) var words: [UInt64]

    public init(size: Size) {
        self.size = size
        words = [UInt64](repeating: 0, count: (size.area + 63) / 64)
    }

    /// - Precondition: `words` holds `size.area` bits.
    public init(size: Size, words: [UInt64]) {
        precondition(words.count == (size.area + 63) / 64)
        self.size = size
        self.words = words
    }

    public var area: Int {
        words.reduce(0) { $0 + $1.nonzeroBitCount }
    }

    public mutating func insert(_ pixel: Int) {
        words[pixel >> 6] |= 1 << UInt64(pixel & 63)
    }

    /// Intersection over union; over this mask's own area where the other is a crowd.
    public func overlap(_ other: BitMask, isCrowd: Bool) -> Double {
        precondition(size == other.size)
        var both = 0
        var either = 0
        for (one, other) in zip(words, other.words) {
            both += (one & other).nonzeroBitCount
            either += (isCrowd ? one : one | other).nonzeroBitCount
        }
        return either > 0 ? Double(both) / Double(either) : 0
    }
}
