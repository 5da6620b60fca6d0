import CSystem

/// The words of the command line, the program's name first.
///
/// Read from the kernel: Embedded Swift has no `CommandLine`.
/// - Throws: when `/proc` is not mounted, or a word is not UTF-8: it would name another file.
public func programArguments() throws(Fault) -> [String] {
    let path = "/proc/self/cmdline"
    guard let stream = fopen(path, "rb") else { throw Fault("\(path): \(systemError())") }
    defer { fclose(stream) }
    var arguments: [String] = []
    var word: [UInt8] = []
    // Every word ends in a zero byte.
    while case let byte = getc(stream), byte != EOF {
        if byte == 0 {
            guard let text = String(validating: word, as: UTF8.self) else {
                throw Fault("\(String(decoding: word, as: UTF8.self)): not UTF-8 text; files of such names have to be renamed, or reached by a link")
            }
            arguments.append(text)
            word.removeAll(keepingCapacity: true)
        } else {
            word.append(UInt8(truncatingIfNeeded: byte))
        }
    }
    return arguments
}
