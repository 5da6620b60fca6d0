import Board
import CBoard
import Output

extension Options {
    /// - Throws: when two outputs, or an output and the input, are the same file or folder.
    func checkPlaces() throws(Fault) {
        var taken: [(name: String, path: String)] = image.isEmpty ? [] : [("--image", image)]
        var wanted: [(name: String, path: String)] = []
        if let overlay { wanted.append(("--overlay", overlay)) }
        if let labels { wanted.append(("--labels", labels)) }
        if let logits { wanted.append(("--logits", logits)) }
        for destination in json where destination != "-" && !LineOutput.isDatagrams(destination) { wanted.append(("--json", destination)) }
        for (name, path) in wanted {
            for (other, before) in taken where samePlace(path, before) { throw Fault("\(name) \(path): is \(other) too") }
            taken.append((name, path))
        }
    }

    /// Whether two paths are written alike or lead to the same file or folder.
    private func samePlace(_ a: String, _ b: String) -> Bool {
        var first = stat(), second = stat()
        return a == b || (stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino)
    }
}
