import CBoard

/// The words of the command line, the program's name first.
///
/// Read from the kernel: Embedded Swift has no `CommandLine`. Bytes that are no UTF-8 are repaired.
/// - Throws: when `/proc` is not mounted.
public func programArguments() throws(Fault) -> [String] {
    let path = "/proc/self/cmdline"
    guard let stream = fopen(path, "rb") else { throw Fault("\(path): \(systemError())") }
    defer { fclose(stream) }
    var arguments: [String] = [], word: [UInt8] = []
    // Every word ends in a zero byte.
    while case let byte = getc(stream), byte != EOF {
        if byte == 0 {
            arguments.append(String(decoding: word, as: UTF8.self))
            word.removeAll(keepingCapacity: true)
        } else {
            word.append(UInt8(truncatingIfNeeded: byte))
        }
    }
    return arguments
}
