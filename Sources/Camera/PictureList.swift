import Board

/// The pictures that a path names: itself, those of a folder, or those of a list.
public struct PictureList {
    public let paths: [String]
    /// Whether the path is a picture's own; else it stands for any number of them.
    public let isSingle: Bool

    /// - Parameter path: a picture; a folder (see `PictureFolder`); or a text file whose name ends in `.txt`, with one path a line, relative
    ///   to the text file's folder. Empty lines are left out.
    /// - Throws: when a folder or a list cannot be read or names no picture.
    public init(path: String) throws(Fault) {
        if PictureFolder.isFolder(path) {
            paths = try PictureFolder(path: path).paths
            isSingle = false
        } else if path.utf8.count > 4, Array(path.utf8.suffix(4)).elementsEqual(".txt".utf8) {
            paths = try PictureList.lines(path)
            isSingle = false
        } else {
            paths = [path]
            isSingle = true
        }
    }

    private static func lines(_ path: String) throws(Fault) -> [String] {
        let text = try contents(of: path, limit: 256 << 20)
        let bytes = Array(path.utf8)
        let folder = bytes.lastIndex(of: 0x2F).map { String(decoding: bytes[...$0], as: UTF8.self) } ?? ""
        var paths: [String] = [], line: [UInt8] = []
        func end() {
            if line.last == 0x0D { line.removeLast() }
            if !line.isEmpty { paths.append((line[0] == 0x2F ? "" : folder) + String(decoding: line, as: UTF8.self)) }
            line.removeAll(keepingCapacity: true)
        }
        for byte in text {
            if byte == 0x0A { end() } else { line.append(byte) }
        }
        end()
        guard !paths.isEmpty else { throw Fault("\(path): names no picture") }
        return paths
    }
}
