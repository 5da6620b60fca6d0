import ArgumentParser
import CSystem
import Calibrate
import Capture
import Checkpoint
import Foundation
import Imaging
import ModelFormat
import Network
import Runtime
import System

/// `quantize stages`: int8 against fp32 by stage, each on the fp32 network's input.
struct StagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stages",
        abstract: "Compares a model file with its checkpoint stage by stage.",
        discussion: "Every int8 stage reads the input that the fp32 network gives that stage, so that errors do not accumulate.")

    @OptionGroup var source: CheckpointOptions

    @Option(help: ArgumentHelp("Model file made from the checkpoint.", valueName: "file"))
    var model: String

    @Option(help: ArgumentHelp("Pictures to compare on: a folder or one picture.", valueName: "folder"))
    var images: String

    @Option(help: ArgumentHelp("Use at most this many pictures.", valueName: "count"))
    var limit = 4

    @Option(help: "Threads.")
    var threads = processorCount()

    @Option(help: ArgumentHelp("Fail when a stage has a lower signal-to-noise ratio.", valueName: "dB"))
    var atLeast: Double?

    func run() throws {
        let paths = isFolder(images) ? Array(try PictureFolder(path: images).paths.prefix(max(limit, 1))) : [images]
        let file = try ModelFile(path: model)
        let checkpoint = try Checkpoint(checkpoint: source.path(), clip: source.clip)
        guard try checkpoint.clipFingerprint() == file.clipFingerprint else {
            throw Fault("\(model): not made from \(try source.path()): their CLIPs differ")
        }
        let preprocessing = Preprocessing(shortestEdge: file.shortestEdge, maximumSize: file.longestEdge)
        let calibration = try Calibration(checkpoint, preprocessing: preprocessing, rewrites: Rewrites(visibleIn: file), threads: threads)
        let integer = try SegmentationNetwork(IntegerArithmetic(file, kernels: .best, threads: threads), file.architecture)
        let comparison = try StageComparison(calibration.network, integer)
        let preprocessor = Preprocessor(preprocessing)
        for (index, path) in paths.enumerated() {
            preprocessor.resize(try Picture.read(path: path))
            preprocessor.withResized { comparison.add($0, size: preprocessor.resizedSize, padded: preprocessor.paddedSize) }
            Talk.progress("compared \(index + 1) of \(paths.count) pictures", isFinal: index + 1 == paths.count)
        }
        for stage in comparison.fidelities { try printLine(stage.name.rightPadded(20) + Talk.decibels(stage.decibels).leftPadded(10)) }
        if let atLeast, let worst = comparison.fidelities.first(where: { $0.decibels < atLeast }) {
            throw Fault("\(worst.name): \(Talk.decibels(worst.decibels)) is below \(atLeast) dB")
        }
    }
}
