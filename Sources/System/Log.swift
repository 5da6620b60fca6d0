import CSystem

/// Messages for the user.
public enum Log {
    /// Writes a line to standard error; a failure to write is ignored. Control characters are replaced as in a `Fault`.
    public static func write(_ text: String) {
        _ = writeLine(Fault(text).message, to: STDERR_FILENO)
    }
}

/// Writes a line of results to standard output. - Throws: when it cannot be written.
public func printLine(_ text: String) throws(Fault) {
    guard writeLine(text, to: STDOUT_FILENO) else { throw Fault("standard output: cannot be written: \(systemError())") }
}

private func writeLine(_ text: String, to descriptor: Int32) -> Bool {
    var bytes = Array(text.utf8)
    bytes.append(0x0A)
    return bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
}
