import CSystem
import System

/// Builds one line of JSON (RFC 8259); commas and escapes are its concern, nesting the caller's. Lines after the longest allocate nothing.
public struct JSONWriter {
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init() {}

    /// Begins anew, in the same memory.
    public mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        needsComma = false
    }

    public mutating func endLine() { bytes.append(0x0A) }

    public mutating func beginObject() { open("{") }
    public mutating func endObject() { close("}") }
    public mutating func beginArray() { open("[") }
    public mutating func endArray() { close("]") }

    /// The name of the member whose value is written next.
    public mutating func key(_ name: String) { key(utf8: name.utf8) }

    /// Also a name of the program's own.
    public mutating func key(_ name: StaticString) {
        key(utf8: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    public mutating func value(_ text: String) { value(utf8: text.utf8) }

    /// Text as UTF-8.
    public mutating func value<Text: Sequence<UInt8>>(utf8 text: Text) {
        separate()
        quote(text)
    }

    public mutating func value(_ number: Int) {
        separate()
        if number < 0 { bytes.append(0x2D) }
        digits(number.magnitude)
    }

    public mutating func value(_ flag: Bool) {
        separate()
        word(flag ? "true" : "false")
    }

    /// `number` with `decimals` (0...9) digits after the point, rounded half away from zero; null when it is not finite.
    public mutating func value(_ number: Double, decimals: Int) {
        separate()
        guard number.isFinite else { return word("null") }
        var unit = 1
        for _ in 0..<decimals { unit *= 10 }
        // Beyond this the integer would overflow.
        let scaled = Int((min(abs(number), 9e17 / Double(unit)) * Double(unit)).rounded())
        if number < 0 && scaled != 0 { bytes.append(0x2D) }
        digits(UInt(scaled / unit))
        guard decimals > 0 else { return }
        bytes.append(0x2E)
        var digit = unit / 10
        while digit > 0 {
            bytes.append(0x30 + UInt8(scaled / digit % 10))
            digit /= 10
        }
    }

    private mutating func word(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { bytes.append(text.utf8Start[index]) }
    }

    private mutating func digits(_ number: UInt) {
        var unit: UInt = 1
        while number / unit >= 10 { unit *= 10 }
        while unit > 0 {
            bytes.append(0x30 + UInt8(number / unit % 10))
            unit /= 10
        }
    }

    private mutating func key<Text: Sequence<UInt8>>(utf8 name: Text) {
        separate()
        quote(name)
        bytes.append(0x3A)
        needsComma = false
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(bracket.value))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(bracket.value))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(0x2C) }
        needsComma = true
    }

    private mutating func quote<Text: Sequence<UInt8>>(_ text: Text) {
        bytes.append(0x22)
        for byte in text {
            switch byte {
            case 0x22, 0x5C: escape(byte)
            case 0x0A: escape(0x6E)
            case 0x09: escape(0x74)
            case 0x0D: escape(0x72)
            case 0..<0x20, 0x7F:
                word("\\u00")
                hexadecimal(byte >> 4)
                hexadecimal(byte & 15)
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }

    private mutating func hexadecimal(_ digit: UInt8) {
        bytes.append(digit + (digit < 10 ? 0x30 : 0x57))
    }

    private mutating func escape(_ character: UInt8) {
        bytes.append(0x5C)
        bytes.append(character)
    }
}
