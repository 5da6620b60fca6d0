import System

/// A file of options, one a line, written as on the command line or without the dashes:
///
///     model /opt/fcclip/model.gguf
///     --camera=/dev/video0
///     every-frame
///
/// A byte-order mark at its start is left out. Empty lines and those that begin with # are left out. Blanks end a name; a value goes to the end of its line.
struct ConfigFile {
    struct Line {
        let number: Int
        /// The option, and its value if it has one, as on the command line.
        let words: [String]
    }

    let lines: [Line]

    /// - Throws: when the file cannot be read or is no text.
    init(path: String) throws(Fault) {
        guard let text = String(validating: try contents(of: path, limit: 1 << 20), as: UTF8.self) else {
            throw Fault("\(path): not a text file of options (UTF-8)")
        }
        let isMarked = text.utf8.starts(with: [0xEF, 0xBB, 0xBF])
        var lines: [Line] = []
        var number = 0
        for line in text.utf8.dropFirst(isMarked ? 3 : 0).split(separator: 0x0A, omittingEmptySubsequences: false) {
            number += 1
            let words = ConfigFile.words(Array(line))
            if !words.isEmpty { lines.append(Line(number: number, words: words)) }
        }
        self.lines = lines
    }

    private static func words(_ line: [UInt8]) -> [String] {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
        guard let start = line.firstIndex(where: { !isBlank($0) }), line[start] != 0x23, let last = line.lastIndex(where: { !isBlank($0) }) else { return [] }
        let text = line[start...last]
        let end = text.firstIndex { isBlank($0) || $0 == 0x3D } ?? text.endIndex
        var name = String(decoding: text[..<end], as: UTF8.self)
        if !name.utf8.starts(with: "--".utf8) { name = "--" + name }
        guard let value = text[end...].firstIndex(where: { !isBlank($0) && $0 != 0x3D }) else { return [name] }
        return [name, String(decoding: text[value...], as: UTF8.self)]
    }
}
