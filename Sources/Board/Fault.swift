/// Why something could not be done, in one line for the person at the terminal: what, where, and the remedy.
public struct Fault: Error {
    public enum Kind: Sendable {
        /// The machine lacks the memory.
        case memory
        case other
    }

    public let message: String
    public let kind: Kind

    /// Names read from files end up in messages: control characters are replaced, so that it stays one line.
    public init(_ message: String, kind: Kind = .other) {
        self.kind = kind
        guard message.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
            self.message = message
            return
        }
        self.message = String(decoding: message.utf8.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }, as: UTF8.self)
    }
}

/// `text` cut to a length that a line can carry.
public func abbreviated(_ text: String) -> String {
    text.utf8.count <= 120 ? text : String(text.unicodeScalars.prefix(117).map(Character.init)) + "..."
}
