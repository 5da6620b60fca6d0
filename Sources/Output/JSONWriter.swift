/// Builds one line of JSON (RFC 8259); commas and escapes are its concern, nesting the caller's.
public struct JSONWriter {
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    public init() {}

    public mutating func beginObject() { open("{") }
    public mutating func endObject() { close("}") }
    public mutating func beginArray() { open("[") }
    public mutating func endArray() { close("]") }

    /// The name of the member whose value is written next.
    public mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(0x3A)
        needsComma = false
    }

    public mutating func value(_ text: String) {
        separate()
        quote(text)
    }

    public mutating func value(_ number: Int) {
        separate()
        bytes += Array(String(number).utf8)
    }

    public mutating func value(_ flag: Bool) {
        separate()
        bytes += Array((flag ? "true" : "false").utf8)
    }

    /// `number` with `decimals` (0...9) digits after the point, rounded half away from zero; null when it is not finite.
    public mutating func value(_ number: Double, decimals: Int) {
        separate()
        guard number.isFinite else {
            bytes += Array("null".utf8)
            return
        }
        var unit = 1
        for _ in 0..<decimals { unit *= 10 }
        // Beyond this the integer would overflow.
        let scaled = Int((min(abs(number), 9e17 / Double(unit)) * Double(unit)).rounded())
        if number < 0 && scaled != 0 { bytes.append(0x2D) }
        bytes += Array(String(scaled / unit).utf8)
        guard decimals > 0 else { return }
        bytes.append(0x2E)
        var digit = unit / 10
        while digit > 0 {
            bytes.append(0x30 + UInt8(scaled / digit % 10))
            digit /= 10
        }
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

    private mutating func quote(_ text: String) {
        bytes.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C: bytes += [0x5C, byte]
            case 0x0A: bytes += [0x5C, 0x6E]
            case 0x09: bytes += [0x5C, 0x74]
            case 0x0D: bytes += [0x5C, 0x72]
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                bytes += [0x5C, 0x75, 0x30, 0x30, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }
}
