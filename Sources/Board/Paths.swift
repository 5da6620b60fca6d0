import CBoard

/// `a/b/c` to `a/b` and `c`; `c` alone to `.` and `c`. Blanks and repeated slashes are kept.
public func folderAndName(_ path: String) -> (folder: String, name: String) {
    let bytes = Array(path.utf8)
    guard let slash = bytes.lastIndex(of: 0x2F) else { return (".", path) }
    return (slash == 0 ? "/" : String(decoding: bytes[..<slash], as: UTF8.self), String(decoding: bytes[(slash + 1)...], as: UTF8.self))
}

/// Where a symbolic link leads, through further links; `path` itself where it is none. The file need not exist.
///
/// Links in the folders before the name stay: the kernel follows them. After 40 links, as many as Linux follows, the last one is returned.
public func followed(_ path: String) -> String {
    var path = path
    for _ in 0..<40 {
        var target = [UInt8](repeating: 0, count: 4096)
        let count = target.withUnsafeMutableBytes { readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count) }
        guard count > 0 else { return path }
        let text = String(decoding: target[..<count], as: UTF8.self)
        path = target[0] == 0x2F ? text : folderAndName(path).folder + "/" + text
    }
    return path
}
