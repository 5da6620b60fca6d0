import System

/// The pictures that a path names: itself, those of a folder, or those of a list.
public struct PictureList {
    public let paths: [String]
    /// Why others cannot be read: their names are not UTF-8.
    public let faults: [Fault]
    /// Whether the path is a picture's own; else it stands for any number of them.
    public let isSingle: Bool

    /// - Parameter path: a picture; a folder (see `PictureFolder`); or a text file whose name ends in `.txt`, with one path a line, relative
    ///   to the text file's folder. Empty lines and a byte-order mark are left out; lines end in LF, CR LF or CR.
    /// - Throws: when a folder or a list cannot be read or names no picture.
    public init(path: String) throws(Fault) {
        if isFolder(path) {
            let folder = try PictureFolder(path: path)
            (paths, faults, isSingle) = (folder.paths, folder.faults, false)
        } else if path.utf8.count > 4, Array(path.utf8.suffix(4)).elementsEqual(".txt".utf8) {
            (paths, faults) = try PictureList.lines(path)
            isSingle = false
        } else {
            (paths, faults, isSingle) = ([path], [], true)
        }
    }

    private static func lines(_ path: String) throws(Fault) -> ([String], [Fault]) {
        let text = try contents(of: path, limit: 256 << 20)
        let folder = folderAndName(path)
        let prefix = path.utf8.contains(0x2F) ? (folder.folder == "/" ? "/" : folder.folder + "/") : ""
        guard !text.starts(with: [0xFF, 0xFE]), !text.starts(with: [0xFE, 0xFF]), !text.contains(0) else {
            throw Fault("\(path): not UTF-8 text but UTF-16 or no text at all")
        }
        var paths: [String] = []
        var faults: [Fault] = []
        for line in text.dropFirst(text.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0).split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
            let prefix = line.first == 0x2F ? "" : prefix
            if let name = String(validating: line, as: UTF8.self) { paths.append(prefix + name) } else { faults.append(notUTF8(prefix, Array(line))) }
        }
        guard !paths.isEmpty || !faults.isEmpty else { throw Fault("\(path): names no picture") }
        return (paths, faults)
    }
}
