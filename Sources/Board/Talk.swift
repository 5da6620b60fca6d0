import CBoard

/// Writes a line for the person at the terminal, on standard error.
public func say(_ text: String) {
    writeLine(text, to: board_stream(file: board_stderr()))
}

/// Writes a line of what was asked for, on standard output.
public func answer(_ text: String) {
    writeLine(text, to: board_stream(file: board_stdout()))
}

private func writeLine(_ text: String, to stream: board_stream) {
    var bytes = Array(text.utf8)
    bytes.append(0x0A)
    fwrite(bytes, 1, bytes.count, stream.file)
    fflush(stream.file)
}
