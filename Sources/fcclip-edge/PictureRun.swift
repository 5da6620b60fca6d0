import Board
import Camera
import CBoard
import Network
import Output
import Runtime

/// Pictures through the engine to the sinks that were asked for.
final class PictureRun {
    private let options: Options
    private let engine: Engine
    private let preprocessor: Preprocessor
    private let legend: Legend
    private let record: SegmentsRecord.Source, vocabulary: SegmentsRecord.Source

    init(_ options: Options) throws(Fault) {
        self.options = options
        engine = try Engine(model: options.model, vocabulary: options.vocabulary, kernels: options.kernels, threads: options.threads)
        preprocessor = Preprocessor(Preprocessing(shortestEdge: engine.model.shortestEdge, maximumSize: engine.model.longestEdge))
        legend = Legend(engine.vocabulary)
        record = SegmentsRecord.Source(path: options.model, identity: engine.model.identity)
        vocabulary = SegmentsRecord.Source(path: options.vocabulary, identity: engine.vocabulary.identity)
    }

    func run() throws(Fault) {
        try checkPaths()
        let isFolder = PictureFolder.isFolder(options.image)
        let paths = isFolder ? try PictureFolder(path: options.image).paths : [options.image]
        if isFolder {
            try makeFolder(options.overlay)
            try makeFolder(options.labels)
        }
        let file = try jsonFile()
        var failures = 0
        for path in paths {
            let start = monotonicMilliseconds()
            let picture: Picture
            do throws(Fault) {
                picture = try Picture.read(path: path)
            } catch {
                // One bad picture of a folder costs that picture only.
                guard isFolder else { throw error }
                say("fcclip-edge: \(error.message)")
                failures += 1
                continue
            }
            if let warning = picture.warning { say("fcclip-edge: \(path): \(warning)") }
            let line = try segment(picture, path, isFolder: isFolder, start: start)
            if let file {
                try file.write(line)
            } else if options.json != nil {
                try writeStandardOutput(line)
            }
        }
        try file?.commit()
        guard failures == 0 else { throw Fault("\(options.image): \(failures) of \(paths.count) pictures could not be read") }
    }

    /// - Throws: when two outputs, or an output and the input, are the same file or folder.
    private func checkPaths() throws(Fault) {
        var taken = [("--image", options.image)]
        for (name, path) in [("--overlay", options.overlay), ("--labels", options.labels), ("--json", options.json)] {
            guard let path, path != "-" else { continue }
            for (other, before) in taken where samePlace(path, before) { throw Fault("\(name) \(path): is \(other) too") }
            taken.append((name, path))
        }
    }

    /// Whether two paths are written alike or lead to the same file or folder.
    private func samePlace(_ a: String, _ b: String) -> Bool {
        var first = stat(), second = stat()
        return a == b || (stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino)
    }

    /// Segments one picture, read since `start`, and writes its overlay and label map. - Returns: its JSON line.
    private func segment(_ picture: Picture, _ path: String, isFolder: Bool, start: Double) throws(Fault) -> [UInt8] {
        var last = start
        var stages: [SegmentsRecord.Stage] = []
        func clock(_ name: StaticString) {
            let now = monotonicMilliseconds()
            stages.append(SegmentsRecord.Stage(name: "\(name)", milliseconds: now - last))
            last = now
        }
        // Its pixels are read through a pointer that does not keep it.
        defer { withExtendedLifetime(picture) {} }
        clock("decode")
        preprocessor.resize(picture)
        clock("resize")
        let geometry = PictureGeometry(picture: picture.size, inner: preprocessor.resizedSize, padded: preprocessor.paddedSize)
        let segmentation = engine.segment(preprocessor.resized, geometry: geometry, task: options.task, clock: clock)
        let record = SegmentsRecord(
            picture: path, stages: stages, totalMilliseconds: monotonicMilliseconds() - start, model: record, vocabulary: vocabulary)
        if let overlay = options.overlay {
            try Overlay.write(segmentation, legend: legend, on: picture.pixels, to: isFolder ? overlay + "/" + pngName(path) : overlay)
        }
        if let labels = options.labels { try LabelMap.write(segmentation, to: isFolder ? labels + "/" + pngName(path) : labels) }
        return options.json == nil ? [] : record.line(segmentation, legend: legend)
    }

    private func jsonFile() throws(Fault) -> NewFile? {
        guard let path = options.json, path != "-" else { return nil }
        return try NewFile(path: path)
    }

    private func writeStandardOutput(_ line: [UInt8]) throws(Fault) {
        guard fwrite(line, 1, line.count, board_stdout()) == line.count, fflush(board_stdout()) == 0 else {
            throw Fault("standard output: cannot be written: \(systemError())")
        }
    }

    private func makeFolder(_ path: String?) throws(Fault) {
        guard let path, !PictureFolder.isFolder(path) else { return }
        guard mkdir(path, 0o777) == 0 else { throw Fault("\(path): cannot be made a folder: \(systemError())") }
    }

    /// `folder/street.jpg` to `street.jpg.png`: pictures that differ in their ending only stay apart.
    private func pngName(_ path: String) -> String {
        let bytes = Array(path.utf8)
        let start = bytes.lastIndex(of: 0x2F).map { $0 + 1 } ?? 0
        return String(decoding: bytes[start...], as: UTF8.self) + ".png"
    }
}
