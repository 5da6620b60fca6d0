import ArgumentParser
import CSystem
import Calibrate
import Capture
import Checkpoint
import Foundation
import Imaging
import Kernels
import ModelFormat
import System

/// `quantize`, `quantize model`: checkpoint and pictures to a model file.
struct ModelCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "model",
        abstract: "Quantizes a checkpoint to an int8 model file (the default).",
        discussion: """
            Runs the network in fp32 over the calibration pictures, observes the range of every activation, and writes int8 weights with
            one scale for each output channel. Use a few dozen pictures like those of the application.
            The model file stores the ensemble weights, and fcclip-edge uses them.
            """)

    @OptionGroup var source: CheckpointOptions

    @Option(name: .customLong("calib"), help: ArgumentHelp("Calibration pictures: a folder of JPEG or PNG files, or one picture.", valueName: "folder"))
    var calibration: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("Model file to write.", valueName: "file"))
    var output: String?

    @Option(
        name: [.customLong("shortest-edge"), .customLong("size")],
        help: ArgumentHelp(
            "Shortest edge that pictures are resized to, for calibration and at run time; the longest becomes at most 5/3 of it.", valueName: "pixels"))
    var shortestEdge = 512

    @OptionGroup var ensemble: EnsembleOptions

    @Option(help: ArgumentHelp("Use at most this many calibration pictures, spread over the folder.", valueName: "count"))
    var limit: Int?

    @Option(help: "Threads.")
    var threads = processorCount()

    @Flag(help: "List every layer's signal-to-noise ratio, not only the ten lowest.")
    var allLayers = false

    func validate() throws {
        guard (32...8192).contains(shortestEdge) else { throw ValidationError("--shortest-edge is 32...8192 pixels") }
        guard limit.map({ $0 > 0 }) ?? true else { throw ValidationError("--limit is at least 1") }
        guard (1...256).contains(threads) else { throw ValidationError("--threads is 1...256") }
    }

    func run() throws {
        let start = Date()
        _ = try source.path()
        guard let calibration else { throw Fault("--calib is missing: a folder with a few dozen pictures like those of the application") }
        guard let output else { throw Fault("--output is missing: the model file to write, as in --output model.gguf") }
        let pictures = try choose(pictures(of: calibration))
        var claims = FileClaims()
        try source.claim(in: &claims)
        for picture in pictures { claims.read(picture, as: "--calib") }
        claims.write(output, as: "--output")
        try claims.check()
        let folder = URL(filePath: output).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else { throw Fault("\(output): the folder \(folder) cannot be written to") }
        let checkpoint = try Checkpoint(checkpoint: source.path(), clip: source.clip)
        Talk.line("reading \(checkpoint.sources.map { URL(filePath: $0.path).lastPathComponent }.joined(separator: " and "))")
        let observed = try Calibration(
            checkpoint, preprocessing: Preprocessing(shortestEdge: shortestEdge, maximumSize: shortestEdge * 5 / 3), threads: threads)
        let observing = Date()
        try observed.observe(pictures) { done in
            let elapsed = Date().timeIntervalSince(observing)
            let rest = elapsed / Double(done) * Double(pictures.count - done)
            let text =
                done < pictures.count
                ? "calibrating: picture \(done) of \(pictures.count), about \(Talk.seconds(rest)) left"
                : "calibrated on \(pictures.count) pictures in \(Talk.seconds(elapsed))"
            Talk.progress(text, isFinal: done == pictures.count)
        }
        // In their first spelling, so that equal inputs give equal files.
        let options = "--size \(shortestEdge)" + (limit.map { " --limit \($0)" } ?? "") + ensemble.arguments
        let summary = try ModelWriter(observed, ensemble: ensemble.weights(), options: options).write(to: output)
        let audit = try LayerAudit(observed, model: try ModelFile(path: output), threads: threads)
        report(try audit.run(pictures[0]))
        Talk.line(
            String(
                format: "%@: %d int8 and %d float layers, %.1f MB, %@", output, summary.integerLayers, summary.floatLayers,
                Double(summary.bytes) / 1e6, Talk.seconds(Date().timeIntervalSince(start))))
    }

    /// - Throws: when the folder cannot be read, or a name in it is not UTF-8.
    private func pictures(of path: String) throws -> [String] {
        guard isFolder(path) else { return [path] }
        let folder = try PictureFolder(path: path)
        if let fault = folder.faults.first { throw fault }
        return folder.paths
    }

    /// At most `limit` of `paths`, evenly spread.
    private func choose(_ paths: [String]) throws -> [String] {
        guard let limit, limit < paths.count else { return paths }
        return (0..<limit).map { paths[$0 * paths.count / limit] }
    }

    private func report(_ layers: [Fidelity]) {
        let shown = allLayers ? layers : Array(layers.sorted { $0.decibels < $1.decibels }.prefix(10))
        Talk.line(
            allLayers
                ? "signal-to-noise ratio of every layer on its fp32 input:" : "lowest signal-to-noise ratios of \(layers.count) layers on their fp32 inputs:")
        for layer in shown { Talk.line("  " + Talk.decibels(layer.decibels).leftPadded(9) + "  " + layer.name) }
    }
}

extension String {
    func leftPadded(_ width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }

    func rightPadded(_ width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
