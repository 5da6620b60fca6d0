import CSystem
import System

/// The pictures of a folder, by name.
public struct PictureFolder {
    /// Paths of the files that end in .jpg, .jpeg or .png (any case), in the byte order of their names; subfolders and
    /// hidden files are left out.
    public let paths: [String]
    /// Why others of them cannot be read: names that are not UTF-8 are none that the programs could pass on.
    public let faults: [Fault]

    /// - Throws: when `path` is no readable folder or holds no picture.
    public init(path: String) throws(Fault) {
        guard let folder = opendir(path) else { throw Fault("\(path): \(systemError())") }
        defer { closedir(folder) }
        var names: [[UInt8]] = []
        while let entry = readdir(folder) {
            let name = PictureFolder.bytes(system_entry_name(entry))
            if PictureFolder.isPicture(name) { names.append(name) }
        }
        guard !names.isEmpty else { throw Fault("\(path): no .jpg, .jpeg or .png file in this folder") }
        names.sort { $0.lexicographicallyPrecedes($1) }
        let prefix = path.utf8.last == 0x2F ? path : path + "/"
        var paths: [String] = []
        var faults: [Fault] = []
        for name in names {
            if let text = String(validating: name, as: UTF8.self) { paths.append(prefix + text) } else { faults.append(notUTF8(prefix, name)) }
        }
        (self.paths, self.faults) = (paths, faults)
    }

    /// The bytes before the zero that ends a C string.
    private static func bytes(_ text: UnsafePointer<CChar>) -> [UInt8] {
        (0..<strlen(text)).map { UInt8(bitPattern: text[$0]) }
    }

    private static func isPicture(_ name: [UInt8]) -> Bool {
        guard let dot = name.lastIndex(of: 0x2E), dot > 0, name[0] != 0x2E else { return false }
        let ending = name[(dot + 1)...].map { $0 | 0x20 }
        return ending == Array("jpg".utf8) || ending == Array("jpeg".utf8) || ending == Array("png".utf8)
    }
}

/// What is wrong with a name's bytes, those that are no ASCII being shown as `\xE9`.
func notUTF8(_ folder: String, _ name: [UInt8]) -> Fault {
    var text = folder
    for byte in name {
        text += byte < 0x80 ? String(decoding: [byte], as: UTF8.self) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }
    return Fault("\(text): the name is not UTF-8; rename the file")
}
