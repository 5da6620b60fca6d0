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

    @Option(
        name: .customLong("calib"),
        help: ArgumentHelp(
            "Calibration pictures: a folder of JPEG or PNG files, a list (.txt, a path a line), a pattern such as 'street/*.jpg', or one picture.",
            valueName: "pictures"))
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

    @Option(
        help: ArgumentHelp(
            """
            Rules that decide before the standard ones: 'pattern precision range migration rounding' a line, where the pattern is a layer's name, or \
            the beginning of names with * behind it. Words left out or 'best' are chosen by what loses least.
            """, valueName: "file"))
    var table: String?

    @Option(
        help: ArgumentHelp(
            """
            Write such a table, the parts of the network that cost most in int8 first, each with the signal-to-noise ratio of the network's masks and \
            classes if it alone is int8. It takes a run of the fp32 network on two pictures for each.
            """, valueName: "file"))
    var sensitivity: String?

    @Option(
        help: ArgumentHelp(
            "Leave the costliest parts in float32 until the network's masks and classes have this signal-to-noise ratio on two of the pictures.",
            valueName: "dB"))
    var budget: Double?

    @Option(
        name: .customLong("report"),
        help: ArgumentHelp("Write a report to look at: settings, what was decided, the least accurate layers, and histograms.", valueName: "file.html"))
    var reportPath: String?

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
        if let table { claims.read(table, as: "--table") }
        claims.write(output, as: "--output")
        if let sensitivity { claims.write(sensitivity, as: "--sensitivity") }
        if let reportPath { claims.write(reportPath, as: "--report") }
        try claims.check()
        let folder = URL(filePath: output).deletingLastPathComponent().path
        guard FileManager.default.isWritableFile(atPath: folder) else { throw Fault("\(output): the folder \(folder) cannot be written to") }
        let checkpoint = try Checkpoint(checkpoint: source.path(), clip: source.clip)
        Talk.line("reading \(checkpoint.sources.map { URL(filePath: $0.path).lastPathComponent }.joined(separator: " and "))")
        var policy = QuantizationPolicy.standard
        if let table { policy.rules.insert(contentsOf: try QuantizationTable.read(table), at: 0) }
        let observed = try Calibration(
            checkpoint, preprocessing: Preprocessing(shortestEdge: shortestEdge, maximumSize: shortestEdge * 5 / 3), policy: policy, threads: threads)
        let observing = Date()
        try observed.observe(pictures) { done, runs in
            let elapsed = Date().timeIntervalSince(observing)
            let rest = elapsed / Double(done) * Double(runs - done)
            let text =
                done < runs
                ? "calibrating: run \(done) of \(runs), about \(Talk.seconds(rest)) left"
                : "calibrated on \(pictures.count) pictures in \(Talk.seconds(elapsed))"
            Talk.progress(text, isFinal: done == runs)
        }
        let deciding = Date()
        observed.decide { fraction in
            let elapsed = Date().timeIntervalSince(deciding)
            Talk.progress(
                fraction < 1
                    ? "choosing scales and weights: \(Int(fraction * 100))%, about \(Talk.seconds(elapsed / max(fraction, 0.01) * (1 - fraction))) left"
                    : "chose scales and weights in \(Talk.seconds(elapsed))", isFinal: fraction >= 1)
        }
        if sensitivity != nil || budget != nil { try weigh(observed, pictures) }
        // In their first spelling, so that equal inputs give equal files.
        let options = "--size \(shortestEdge)" + (limit.map { " --limit \($0)" } ?? "") + (budget.map { " --budget \($0)" } ?? "") + ensemble.arguments
        let summary = try ModelWriter(observed, ensemble: ensemble.weights(), options: options).write(to: output)
        let audit = try LayerAudit(observed, model: try ModelFile(path: output), threads: threads)
        report(try audit.run(pictures[0]))
        if let path = reportPath { try write(HTMLReport(observed, audit: audit, settings: settings(observed, options)), to: path) }
        Talk.line(
            String(
                format: "%@: %d int8 and %d float layers, %.1f MB, %@", output, summary.integerLayers, summary.floatLayers,
                Double(summary.bytes) / 1e6, Talk.seconds(Date().timeIntervalSince(start))))
    }

    /// - Throws: when a folder or a list cannot be read, a name in it is not UTF-8, or a pattern fits no file.
    private func pictures(of path: String) throws -> [String] {
        if !FileManager.default.fileExists(atPath: path), path.contains(where: { "*?[".contains($0) }) {
            let paths = filesMatching(path)
            guard !paths.isEmpty else { throw Fault("\(path): no file has such a name") }
            return paths
        }
        let list = try PictureList(path: path)
        if let fault = list.faults.first { throw fault }
        return list.paths
    }

    /// Files whose paths fit a shell's pattern, sorted.
    private func filesMatching(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].flatMap { String(validatingCString: $0) } }.filter { !isFolder($0) }
    }

    /// At most `limit` of `paths`, evenly spread.
    private func choose(_ paths: [String]) throws -> [String] {
        guard let limit, limit < paths.count else { return paths }
        return (0..<limit).map { paths[$0 * paths.count / limit] }
    }

    /// Measures what each part of the network costs in int8, writes the table, and leaves parts in float32 until the budget is met.
    private func weigh(_ observed: Calibration, _ pictures: [String]) throws {
        // A picture that methods were judged on, if there is one, and another.
        let sensitivity = try Sensitivity(observed, pictures: Array(pictures.dropFirst().prefix(1) + pictures.prefix(1)))
        let start = Date()
        let parts = try sensitivity.parts { done, all in
            let elapsed = Date().timeIntervalSince(start)
            Talk.progress(
                done < all
                    ? "weighing part \(done) of \(all), about \(Talk.seconds(elapsed / Double(done) * Double(all - done))) left"
                    : "weighed \(all) parts of the network in \(Talk.seconds(elapsed))", isFinal: done == all)
        }
        if let budget {
            let met = try sensitivity.fewestFloats(parts, decibels: budget)
            observed.leaveInFloat(met.names)
            Talk.line("\(met.count) of \(parts.count) parts stay in float32; the rest in int8 give \(Talk.decibels(met.decibels))")
        }
        guard let path = self.sensitivity else { return }
        let file = try AtomicFile(path: path)
        try file.write(observed.table(parts))
        try file.commit()
    }

    private func write(_ report: HTMLReport, to path: String) throws {
        let file = try AtomicFile(path: path)
        try file.write(report.text)
        try file.commit()
    }

    private func settings(_ observed: Calibration, _ options: String) -> [HTMLReport.Setting] {
        [
            ("checkpoint", observed.checkpoint.sources.map { "\(URL(filePath: $0.path).lastPathComponent) (\($0.hash))" }.joined(separator: ", ")),
            ("options", options), ("calibration pictures", "\(observed.pictures.count)"), ("compared on", observed.pictures.first ?? ""),
            ("rotated masks", observed.rewrites.rotatesMasks ? "yes" : "no"),
        ]
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
