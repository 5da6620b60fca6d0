import CSystem

/// `a/b/c` to `a/b` and `c`; `c` alone to `.` and `c`.
public func folderAndName(_ path: String) -> (folder: String, name: String) {
    let bytes = Array(path.utf8)
    guard let slash = bytes.lastIndex(of: 0x2F) else { return (".", path) }
    return (slash == 0 ? "/" : String(decoding: bytes[..<slash], as: UTF8.self), String(decoding: bytes[(slash + 1)...], as: UTF8.self))
}

/// The target of the symbolic link at `path`, one step; nil if it is no link.
func link(at path: String) -> String? {
    var target = [UInt8](repeating: 0, count: 4096)
    let count = target.withUnsafeMutableBytes { readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count) }
    guard count > 0 else { return nil }
    let text = String(decoding: target[..<count], as: UTF8.self)
    return target[0] == 0x2F ? text : folderAndName(path).folder + "/" + text
}

/// Whether `path` is a folder, through links.
public func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & UInt32(S_IFMT) == UInt32(S_IFDIR)
}

/// Makes the folder `path` unless it exists. - Throws: when that fails.
public func makeFolder(_ path: String) throws(Fault) {
    guard !isFolder(path), mkdir(path, 0o777) != 0 else { return }
    throw Fault("\(path): cannot be made a folder: \(systemError())")
}

/// The folder of this program's file; nil where `/proc` is not mounted.
public func programFolder() -> String? {
    link(at: "/proc/self/exe").map { folderAndName($0).folder }
}
