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
            for output in fileOutputs { claims.write(output.place, as: output.option) }
        }
        let factory = SinkFactory(pictures.isSingle ? .picture : .pictures)
        for path in pictures.paths {
            claims.read(path, as: pictures.isSingle ? "--image" : "a picture of --image")
            for output in fileOutputs { claims.write(factory.paths(of: output.place, ending: output.ending).path(of: path), as: output.option) }
        }
        try claims.check()
    }

    /// The same for a stream. - Parameter source: what it is called.
    func checkPlaces(_ source: String) throws(Fault) {
        var claims = claims()
        if stdin != nil { claims.read(descriptor: STDIN_FILENO, as: source) }
        // Folders, where every frame's file has a name of its own.
        for output in fileOutputs { claims.write(output.place, as: output.option) }
        try claims.check()
    }

    /// The outputs that have a file for each picture, in order of their options.
    private var fileOutputs: [(option: String, place: String, ending: StaticString)] {
        var outputs: [(option: String, place: String, ending: StaticString)] = []
        if let overlay { outputs.append(("--overlay", overlay, ".png")) }
        if let labels { outputs.append(("--labels", labels, ".png")) }
        if let logits { outputs.append(("--logits", logits, ".npy")) }
        return outputs
    }

    /// What pictures and streams have in common.
    private func claims() -> FileClaims {
        var claims = FileClaims()
        claims.read(model, as: "--model")
        claims.read(vocabulary, as: "--vocab")
        for path in configs { claims.read(path, as: "--config") }
        if table { claims.write(descriptor: STDOUT_FILENO, as: "--table") }
        for destination in json where !SinkFactory.isNetwork(destination) {
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
        guard !fileOutputs.isEmpty else { return }
        let named = pictures.paths.map { (name: Array(folderAndName($0).name.utf8), path: $0) }.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for (a, b) in zip(named, named.dropFirst()) where a.name == b.name {
            throw Fault(
                "\(image): \(a.path) and \(b.path) have one name, by which their outputs are called; segment them one after the other, into different folders")
        }
    }
}
