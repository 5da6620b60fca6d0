/// Why something could not be done, in one line for the person at the terminal: what, where, and the remedy.
public struct Fault: Error {
    public enum Kind: Sendable {
        /// The machine lacks the memory.
        case memory
        case other
    }

    public let message: String
    public let kind: Kind

    /// Names read from files end up in messages: what would break or disguise a line is shown as its code.
    public init(_ message: String, kind: Kind = .other) {
        self.kind = kind
        self.message = printable(message)
    }
}

/// `text` with its control characters, ends of lines and marks that turn the direction of writing as in `\u{1B}`: so that it stays one line, and that
/// what a file holds does not command a terminal.
public func printable(_ text: String) -> String {
    func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0xAD, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xE0000...0xE007F: false
        default: true
        }
    }
    guard !text.unicodeScalars.allSatisfy(isPrintable) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        if isPrintable(scalar) {
            result.unicodeScalars.append(scalar)
        } else {
            result += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
        }
    }
    return result
}

/// `text` cut to a length that a line can carry.
public func abbreviated(_ text: String) -> String {
    text.utf8.count <= 120 ? text : String(text.unicodeScalars.prefix(117).map(Character.init)) + "..."
}
