import TestSupport

/// Seeded changes to bytes, of kinds that often break parsers.
struct Mutator {
    var generator: SplitMix

    private static let edges: [UInt64] = [
        0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
        0x1_0000_0000, 1 << 40, 1 << 60, 1 << 61, 1 << 62, (1 << 63) - 1, 1 << 63, .max - 31, .max - 7, .max - 1, .max,
    ]

    init(seed: UInt64) {
        generator = SplitMix(seed: seed)
    }

    mutating func number(below limit: Int) -> Int {
        limit <= 0 ? 0 : Int(generator.next() % UInt64(limit))
    }

    /// The position of a change: anywhere, or near one of the ends, where containers keep their tables.
    private mutating func position(in bytes: [UInt8]) -> Int {
        switch number(below: 3) {
        case 0: number(below: min(bytes.count, 256))
        case 1: bytes.count - 1 - number(below: min(bytes.count, 256))
        default: number(below: bytes.count)
        }
    }

    private mutating func range(in bytes: [UInt8]) -> Range<Int> {
        let start = position(in: bytes)
        return start..<min(bytes.count, start + 1 + number(below: number(below: 2) == 0 ? 16 : bytes.count))
    }

    /// One to four changes. - Parameter keepingLength: leaves out those that move bytes.
    mutating func mutate(_ original: [UInt8], with others: [[UInt8]], keepingLength: Bool = false) -> [UInt8] {
        var bytes = original
        for _ in 0...number(below: 4) where !bytes.isEmpty {
            switch number(below: keepingLength ? 4 : 10) {
            case 0: bytes[position(in: bytes)] ^= 1 << UInt8(number(below: 8))
            case 1: bytes[position(in: bytes)] = UInt8(number(below: 256))
            case 2: overwriteInteger(&bytes)
            case 3: nudgeInteger(&bytes)
            case 4: bytes.removeLast(number(below: bytes.count))
            case 5: bytes.removeSubrange(range(in: bytes))
            case 6:
                let copy = Array(bytes[range(in: bytes)])
                for _ in 0...number(below: 3) { bytes.insert(contentsOf: copy, at: position(in: bytes)) }
            case 7: replaceNumberText(&bytes)
            default:
                let other = others[number(below: others.count)]
                if !other.isEmpty { bytes.replaceSubrange(range(in: bytes), with: other[range(in: other)]) }
            }
        }
        return bytes
    }

    private mutating func overwriteInteger(_ bytes: inout [UInt8]) {
        let edge = Self.edges[number(below: Self.edges.count)]
        write(edge, size: 1 << number(below: 4), at: position(in: bytes), &bytes)
    }

    private mutating func nudgeInteger(_ bytes: inout [UInt8]) {
        let size = 1 << number(below: 4)
        let offset = position(in: bytes)
        var value: UInt64 = 0
        for index in (0..<size).reversed() where offset + index < bytes.count { value = value << 8 | UInt64(bytes[offset + index]) }
        write(value &+ UInt64(number(below: 33)) &- 16, size: size, at: offset, &bytes)
    }

    private func write(_ value: UInt64, size: Int, at offset: Int, _ bytes: inout [UInt8]) {
        for index in 0..<size where offset + index < bytes.count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }

    /// Replaces a run of decimal digits, as headers in JSON have them.
    private mutating func replaceNumberText(_ bytes: inout [UInt8]) {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let start = position(in: bytes)
        guard let first = bytes[start...].firstIndex(where: { digits.contains($0) }) else { return }
        let end = bytes[first...].firstIndex { !digits.contains($0) } ?? bytes.count
        let texts = ["-1", "0", "1e400", "1.5", "null", "[]", "18446744073709551616"] + [String(Self.edges[number(below: Self.edges.count)])]
        bytes.replaceSubrange(first..<end, with: Array(texts[number(below: texts.count)].utf8))
    }
}
