import CSIMD

/// Adds up the rows of `features` whose bit is set.
///
/// - Parameters:
///   - bits: bit `t % 64` of word `t / 64` stands for row `t`, `count` bits; later bits of the last word are ignored.
///   - features: `[count]` rows, `stride` bytes apart, of which the first `channels` are summed.
///   - y: `channels` sums.
/// - Returns: the number of set bits.
public func maskedSum(
    bits: UnsafePointer<UInt64>, count: Int, features: UnsafePointer<Int8>, stride: Int, channels: Int, into y: UnsafeMutablePointer<Int32>
) -> Int {
    maskedSum(bits: bits, count: count, features: features, stride: stride, channels: channels, into: y) { $0 &+= Int32($1) }
}

/// As above over float rows, `stride` values apart, added in row order.
public func maskedSum(
    bits: UnsafePointer<UInt64>, count: Int, features: UnsafePointer<Float>, stride: Int, channels: Int, into y: UnsafeMutablePointer<Float>
) -> Int {
    maskedSum(bits: bits, count: count, features: features, stride: stride, channels: channels, into: y) { $0 += $1 }
}

@inline(__always)
private func maskedSum<Value, Sum: Numeric>(
    bits: UnsafePointer<UInt64>, count: Int, features: UnsafePointer<Value>, stride: Int, channels: Int, into y: UnsafeMutablePointer<Sum>,
    add: (inout Sum, Value) -> Void
) -> Int {
    y.update(repeating: 0, count: channels)
    return forEachSetBit(bits, count: count) { index in
        let row = features + index * stride
        for channel in 0..<channels { add(&y[channel], row[channel]) }
    }
}

/// Calls `body` with the index of each set bit in order and returns their number.
@inlinable @inline(__always)
func forEachSetBit(_ bits: UnsafePointer<UInt64>, count: Int, _ body: (Int) -> Void) -> Int {
    var found = 0
    for word in 0..<(count + 63) / 64 {
        var rest = bits[word]
        if count - word * 64 < 64 { rest &= (1 as UInt64) << UInt64(count - word * 64) - 1 }
        found += rest.nonzeroBitCount
        while rest != 0 {
            body(word * 64 + rest.trailingZeroBitCount)
            rest &= rest - 1
        }
    }
    return found
}

/// Sets bit `i % 64` of `words[i / 64]` where `x[i]` has the wanted sign, and clears the others up to a whole word. Zeros and NaN have no
/// sign.
public struct SignBits {
    public enum Sign: Sendable {
        case negative, positive
    }

    public let x: UnsafePointer<Float>
    public let count: Int
    public let sign: Sign
    public let words: UnsafeMutablePointer<UInt64>

    @inlinable
    public init(_ x: UnsafePointer<Float>, count: Int, where sign: Sign, into words: UnsafeMutablePointer<UInt64>) {
        (self.x, self.count, self.sign, self.words) = (x, count, sign, words)
    }

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        for word in 0..<(count + 63) / 64 {
            var bits: UInt64 = 0
            for part in 0..<4 {
                let start = word * 64 + part * 16
                let values = load(x + start, count: max(0, min(16, count - start)))
                let wanted = sign == .negative ? values .< splat(0) : splat(0) .< values
                bits |= UInt64(simd_bits(wanted)) << UInt64(part * 16)
            }
            words[word] = bits
        }
    }
}
