import Board
import Camera
import Network
import Output
import Runtime

/// Pictures through the engine to the sinks that were asked for.
final class PictureRun {
    private let options: Options
    private let inference: Inference

    init(_ options: Options) throws(Fault) {
        self.options = options
        inference = try Inference(options)
    }

    func run() throws(Fault) {
        try options.checkPlaces()
        let list = try PictureList(path: options.image)
        if !list.isSingle {
            for folder in [options.overlay, options.labels, options.logits] {
                if let folder { try PictureFolder.make(folder) }
            }
        }
        var sinks: [LineSink] = []
        for destination in options.json { sinks.append(try LineSink(destination)) }
        var failures = 0
        for path in list.paths {
            inference.begin()
            let picture: Picture
            do throws(Fault) {
                picture = try Picture.read(path: path)
            } catch {
                // One bad picture of many costs that picture only.
                guard !list.isSingle else { throw error }
                say("fcclip-edge: \(error.message)")
                failures += 1
                continue
            }
            if let warning = picture.warning { say("fcclip-edge: \(path): \(warning)") }
            let line = try segment(picture, path, name: list.isSingle ? nil : fileName(path))
            for sink in sinks { try sink.write(line) }
        }
        for sink in sinks { try sink.commit() }
        guard failures == 0 else { throw Fault("\(options.image): \(failures) of \(list.paths.count) pictures could not be read") }
    }

    /// JSON lines of pictures: a file of them appears when it is complete.
    private enum LineSink {
        case file(NewFile)
        case other(LineOutput)

        init(_ destination: String) throws(Fault) {
            self = destination == "-" || LineOutput.isDatagrams(destination) ? .other(try LineOutput(destination)) : .file(try NewFile(path: destination))
        }

        func write(_ line: [UInt8]) throws(Fault) {
            switch self {
            case .file(let file): try file.write(line)
            case .other(let output): try output.write(line)
            }
        }

        func commit() throws(Fault) {
            if case .file(let file) = self { try file.commit() }
        }
    }

    /// Segments one picture and writes what belongs to it alone.
    ///
    /// - Parameter name: what its files are called in the folders of outputs; nil where the outputs are files themselves.
    /// - Returns: its JSON line.
    private func segment(_ picture: Picture, _ path: String, name: String?) throws(Fault) -> [UInt8] {
        // Its pixels are read through a pointer that does not keep it.
        defer { withExtendedLifetime(picture) {} }
        inference.clock("decode")
        inference.preprocessor.resize(picture)
        inference.clock("resize")
        /// With many pictures `street.jpg` becomes `output/street.jpg.png`: those that differ in their ending only stay apart.
        func place(_ output: String, _ ending: StaticString) -> String {
            name.map { "\(output)/\($0)\(ending)" } ?? output
        }
        let segmentation = try inference.segment(picture.size) { prediction throws(Fault) in
            if let logits = options.logits { try MaskLogits.write(prediction, to: place(logits, ".npy")) }
        }
        let line = options.json.isEmpty ? [] : inference.line(segmentation, picture: path)
        if let overlay = options.overlay {
            try Overlay.write(segmentation, legend: inference.legend, on: picture.pixels, to: place(overlay, ".png"))
        }
        if let labels = options.labels { try LabelMap.write(segmentation, to: place(labels, ".png")) }
        return line
    }

    /// `folder/street.jpg` to `street.jpg`.
    private func fileName(_ path: String) -> String {
        let bytes = Array(path.utf8)
        let start = bytes.lastIndex(of: 0x2F).map { $0 + 1 } ?? 0
        return String(decoding: bytes[start...], as: UTF8.self)
    }
}
