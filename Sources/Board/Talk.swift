import CBoard

/// Writes a line for the person at the terminal, on standard error.
public func say(_ text: String) {
    writeLine(text, to: board_stderr())
}

/// Writes a line of what was asked for, on standard output.
public func answer(_ text: String) {
    writeLine(text, to: board_stdout())
}

private func writeLine(_ text: String, to stream: UnsafeMutablePointer<FILE>) {
    var bytes = Array(text.utf8)
    bytes.append(0x0A)
    fwrite(bytes, 1, bytes.count, stream)
    fflush(stream)
}
