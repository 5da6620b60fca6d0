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
        let isFolder = PictureFolder.isFolder(options.image)
        let paths = isFolder ? try PictureFolder(path: options.image).paths : [options.image]
        if isFolder {
            try makeFolder(options.overlay)
            try makeFolder(options.labels)
        }
        let file = try jsonFile()
        for path in paths {
            let line = try segment(path, isFolder: isFolder)
            if let file {
                try file.write(line)
            } else if options.json != nil {
                try writeStandardOutput(line)
            }
        }
        try file?.commit()
    }

    /// Segments one picture and writes its overlay and label map. - Returns: its JSON line.
    private func segment(_ path: String, isFolder: Bool) throws(Fault) -> [UInt8] {
        let start = monotonicMilliseconds()
        var last = start
        var stages: [SegmentsRecord.Stage] = []
        func clock(_ name: StaticString) {
            let now = monotonicMilliseconds()
            stages.append(SegmentsRecord.Stage(name: "\(name)", milliseconds: now - last))
            last = now
        }
        let picture = try Picture.read(path: path)
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

    /// `folder/street.jpg` to `street.png`; pictures that differ only in their ending keep it, as `street.jpg.png`.
    private func pngName(_ path: String) -> String {
        let bytes = Array(path.utf8)
        let start = bytes.lastIndex(of: 0x2F).map { $0 + 1 } ?? 0
        let end = bytes.lastIndex(of: 0x2E) ?? bytes.count
        let isPNG = Array(bytes[end...]) == Array(".png".utf8)
        return String(decoding: bytes[start..<(isPNG ? end : bytes.count)], as: UTF8.self) + ".png"
    }
}
