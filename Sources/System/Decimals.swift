extension [UInt8] {
    /// Appends `number`, which is finite, with `decimals` (0...9) digits after the point, rounded half away from zero, as ASCII.
    public mutating func append(decimal number: Double, _ decimals: Int) {
        var unit: UInt = 1
        for _ in 0..<decimals { unit *= 10 }
        // A larger number would overflow the integer.
        let scaled = UInt((Swift.min(abs(number), 9e17 / Double(unit)) * Double(unit)).rounded())
        if number < 0 && scaled != 0 { append(0x2D) }
        append(digits: scaled / unit)
        guard decimals > 0 else { return }
        append(0x2E)
        var digit = unit / 10
        while digit > 0 {
            append(0x30 + UInt8(scaled / digit % 10))
            digit /= 10
        }
    }

    /// Appends a whole number as ASCII.
    public mutating func append(digits number: UInt) {
        var unit: UInt = 1
        while number / unit >= 10 { unit *= 10 }
        while unit > 0 {
            append(0x30 + UInt8(number / unit % 10))
            unit /= 10
        }
    }
}

/// `number` with `decimals` (0...9) digits after the point, rounded half away from zero; `-` when it is not finite.
public func decimal(_ number: Double, _ decimals: Int) -> String {
    guard number.isFinite else { return "-" }
    var text: [UInt8] = []
    text.append(decimal: number, decimals)
    return String(decoding: text, as: UTF8.self)
}

public func percent(_ fraction: Double) -> String { decimal(fraction * 100, 1) + "%" }
public func mebibytes(_ bytes: Int) -> String { decimal(Double(bytes) / 1_048_576, 1) + " MiB" }

/// The number that a text such as `12` or `0.05` stands for; nil for anything else. (Embedded Swift's `Double` does not read text.)
public func decimal(_ text: String) -> Double? {
    var value = 0.0
    var unit = 1.0
    var digits = 0
    var hasPoint = false
    for byte in text.utf8 {
        switch byte {
        case 0x30...0x39:
            value = value * 10 + Double(byte - 0x30)
            if hasPoint { unit *= 10 }
            digits += 1
        case 0x2E where !hasPoint: hasPoint = true
        default: return nil
        }
    }
    return digits > 0 && digits < 16 ? value / unit : nil
}
