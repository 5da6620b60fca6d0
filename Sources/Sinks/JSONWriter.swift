import CSystem
import Kernels
import System

/// Builds one line of JSON (RFC 8259). It writes commas and escapes; the caller opens and closes objects and arrays. Lines no longer than the
/// longest before allocate nothing.
public struct JSONWriter {
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init() {}

    /// Begins an empty line in the same memory.
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

    /// The same for a name that is part of the program.
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
        bytes.append(digits: number.magnitude)
    }

    public mutating func value(_ flag: Bool) {
        separate()
        word(flag ? "true" : "false")
    }

    /// `number` with `decimals` (0...9) digits after the point, rounded half away from zero; null when it is not finite.
    public mutating func value(_ number: Double, decimals: Int) {
        separate()
        guard number.isFinite else { return word("null") }
        bytes.append(decimal: number, decimals)
    }

    // MARK: - Members: a name with its value

    public mutating func member(_ name: StaticString, _ text: String) {
        key(name)
        value(text)
    }

    public mutating func member<Text: Sequence<UInt8>>(_ name: StaticString, utf8 text: Text) {
        key(name)
        value(utf8: text)
    }

    public mutating func member(_ name: StaticString, _ number: Int) {
        key(name)
        value(number)
    }

    public mutating func member(_ name: StaticString, _ flag: Bool) {
        key(name)
        value(flag)
    }

    public mutating func member(_ name: StaticString, _ number: Double, decimals: Int) {
        key(name)
        value(number, decimals: decimals)
    }

    public mutating func member(_ name: StaticString, _ size: Size) {
        beginObject(name)
        member("width", size.width)
        member("height", size.height)
        endObject()
    }

    /// Begins a member that is an object.
    public mutating func beginObject(_ name: StaticString) {
        key(name)
        beginObject()
    }

    /// Begins a member that is an array.
    public mutating func beginArray(_ name: StaticString) {
        key(name)
        beginArray()
    }

    // MARK: - Bytes

    private mutating func word(_ text: StaticString) {
        for index in 0..<text.utf8CodeUnitCount { bytes.append(text.utf8Start[index]) }
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
