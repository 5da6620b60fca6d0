import CSystem

/// The words of the command line, the program's name first.
///
/// Read from the kernel: Embedded Swift has no `CommandLine`.
/// - Throws: when `/proc` is not mounted, or a word is not UTF-8: it would name another file.
public func programArguments() throws(Fault) -> [String] {
    let path = "/proc/self/cmdline"
    var arguments: [String] = []
    var fault: Fault?
    // Every word ends in a zero byte.
    let isRead = forEachLine(of: path, endingIn: 0) { word in
        guard let text = String(validating: word, as: UTF8.self) else {
            fault = Fault("\(String(decoding: word, as: UTF8.self)): not UTF-8 text; files of such names have to be renamed, or reached by a link")
            return false
        }
        arguments.append(text)
        return true
    }
    guard isRead else { throw Fault("\(path): \(systemError())") }
    if let fault { throw fault }
    return arguments
}
