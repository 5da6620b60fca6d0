import CSystem
import Kernels
import System

/// Where a model and its vocabulary are looked for when the command line does not name them.
enum ModelPlaces {
    static let modelName = "model.gguf", vocabularyName = "vocabulary.gguf"

    /// The program's own folder, the working folder, then those for data (XDG Base Directory Specification), each once.
    static var folders: [String] {
        var folders: [String] = []
        func add(_ folder: String?) {
            if let folder, !folders.contains(folder) { folders.append(folder) }
        }
        add(programFolder())
        add(".")
        if let data = environmentVariable("XDG_DATA_HOME"), data.utf8.first == 0x2F {
            add(data + "/fcclip-edge")
        } else if let home = environmentVariable("HOME") {
            add(home + "/.local/share/fcclip-edge")
        }
        add("/usr/local/share/fcclip-edge")
        add("/usr/share/fcclip-edge")
        return folders
    }

    /// Finds what is empty of two paths, both in one folder if both are, and prints what it took on standard error.
    /// - Throws: when a file is nowhere; in one line, with the places and how to get it.
    static func complete(model: inout String, vocabulary: inout String) throws(Fault) {
        guard model.isEmpty || vocabulary.isEmpty else { return }
        let wanted = (model.isEmpty ? [modelName] : []) + (vocabulary.isEmpty ? [vocabularyName] : [])
        for folder in folders where wanted.allSatisfy({ isFile(folder + "/" + $0) }) {
            let paths = wanted.map { folder == "." ? $0 : folder + "/" + $0 }
            if model.isEmpty { model = paths[0] }
            if vocabulary.isEmpty { vocabulary = paths[paths.count - 1] }
            Log.write("fcclip-edge: using \(paths.joined(" and "))")
            return
        }
        let options = (model.isEmpty ? ["--model"] : []) + (vocabulary.isEmpty ? ["--vocab"] : [])
        let remedy = wanted.count == 2 ? "quantize and quantize vocab make them" : model.isEmpty ? "quantize makes it" : "quantize vocab makes it"
        throw Fault(
            "\(options.joined(" and ")) \(wanted.count == 2 ? "are" : "is") missing, and no folder holds \(wanted.joined(" and ")): looked in \(folders.joined(", ")); \(remedy), see --help"
        )
    }

    private static func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & UInt32(S_IFMT) == UInt32(S_IFREG)
    }
}

extension Array where Element == String {
    /// As of the standard library, which Embedded Swift's lacks.
    fileprivate func joined(_ separator: String) -> String {
        var text = ""
        for (index, element) in enumerated() { text += (index == 0 ? "" : separator) + element }
        return text
    }
}
