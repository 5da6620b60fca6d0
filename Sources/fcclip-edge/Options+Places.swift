import CSystem
import Capture
import Sinks
import System

extension Options {
    /// - Throws: when an output is an input or another output, or when two pictures' outputs would have one name.
    func checkPlaces(_ pictures: PictureList) throws(Fault) {
        var claims = claims()
        if !pictures.isSingle {
            try checkNames(pictures)
            // Folders, too, are one thing only.
            claims.read(image, as: "--image")
            for (name, folder) in [("--overlay", overlay), ("--labels", labels), ("--logits", logits)] {
                if let folder { claims.write(folder, as: name) }
            }
        }
        for path in pictures.paths {
            claims.read(path, as: pictures.isSingle ? "--image" : "a picture of --image")
            let outputs = PictureOutputs(self, of: path, isSingle: pictures.isSingle)
            if let overlay = outputs.overlay { claims.write(overlay, as: "--overlay") }
            if let labels = outputs.labels { claims.write(labels, as: "--labels") }
            if let logits = outputs.logits { claims.write(logits, as: "--logits") }
        }
        try claims.check()
    }

    /// The same for a stream. - Parameter source: what it is called.
    func checkPlaces(_ source: String) throws(Fault) {
        var claims = claims()
        if stdin != nil { claims.read(descriptor: STDIN_FILENO, as: source) }
        // Folders, where every frame's file has a name of its own.
        if let overlay { claims.write(overlay, as: "--overlay") }
        if let labels { claims.write(labels, as: "--labels") }
        try claims.check()
    }

    /// What pictures and streams have in common.
    private func claims() -> FileClaims {
        var claims = FileClaims()
        claims.read(model, as: "--model")
        claims.read(vocabulary, as: "--vocab")
        for path in configs { claims.read(path, as: "--config") }
        for destination in json where !LineOutput.isDatagrams(destination) {
            if destination == "-" {
                claims.write(descriptor: STDOUT_FILENO, as: "standard output")
            } else {
                claims.write(destination, as: "--json")
            }
        }
        return claims
    }

    /// Outputs in folders have their pictures' names, without the folders.
    private func checkNames(_ pictures: PictureList) throws(Fault) {
        guard overlay != nil || labels != nil || logits != nil else { return }
        let named = pictures.paths.map { (name: Array(folderAndName($0).name.utf8), path: $0) }.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for (a, b) in zip(named, named.dropFirst()) where a.name == b.name {
            throw Fault(
                "\(image): \(a.path) and \(b.path) have one name, by which their outputs are called; segment them one after the other, into different folders")
        }
    }
}
