/// An error with a message of one line for the user: the failed operation, its place, and the remedy.
public struct Fault: Error {
    public enum Kind: Sendable {
        /// The machine lacks the memory.
        case memory
        case other
    }

    public let message: String
    public let kind: Kind

    /// Messages contain names read from files: characters that would break or disguise a line are replaced by their codes.
    public init(_ message: String, kind: Kind = .other) {
        self.kind = kind
        self.message = printable(message)
    }
}

/// `text` with control characters, line separators and marks of writing direction replaced, as in `\u{1B}`: so that it is one line, and that the
/// contents of a file do not control a terminal.
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

/// `text` cut to a length that fits into a line.
public func abbreviated(_ text: String) -> String {
    text.utf8.count <= 120 ? text : String(text.unicodeScalars.prefix(117).map(Character.init)) + "..."
}
