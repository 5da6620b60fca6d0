import Foundation
import Kernels
import TestSupport

/// The fixture checkpoint as files that the programs read, made once for the whole run.
struct TinyModel {
    let head: String
    let clip: String
    /// Pictures that the model was calibrated on.
    let pictures: String
    let model: String
    let vocabulary: String

    static let shared = Result { try TinyModel() }

    nonisolated(unsafe) private static let folder = Result { try TemporaryFolder() }

    static let picture = Result { try Fixture.path("pictures/synth_420x300.jpg") }

    /// `quantize` options that name the checkpoint.
    var checkpoint: [String] { ["--checkpoint", head, "--clip", clip] }

    static var tokenizer: String {
        ProcessInfo.processInfo.environment["FCCLIP_TOKENIZER"] ?? Fixture.repository + "/.build/tokenizer/bpe_simple_vocab_16e6.txt.gz"
    }

    private init() throws {
        let folder = try Self.folder.get()
        head = try Fixture.path("tiny/head.pth")
        clip = try Fixture.unpacked("tiny/clip.safetensors", in: folder)
        model = folder.path("tiny.gguf")
        vocabulary = folder.path("demo.gguf")
        pictures = folder.path("pictures")
        try FileManager.default.createDirectory(atPath: pictures, withIntermediateDirectories: true)
        for name in ["synth_161x97.png", "synth_420x300.jpg"] {
            try FileManager.default.copyItem(atPath: try Fixture.path("pictures/" + name), toPath: pictures + "/" + name)
        }
        let quantized = try Program.quantize.run(
            ["--checkpoint", head, "--clip", clip, "--calib", pictures, "--shortest-edge", "128", "--output", model])
        guard quantized.status == 0 else { throw Failure(what: "quantize", result: quantized) }
        let encoded = try Program.quantize.run(
            [
                "vocab", "--checkpoint", head, "--clip", clip, "--tokenizer", Self.tokenizer, "--names", try Fixture.path("tiny/demo.txt"), "--output",
                vocabulary,
            ])
        guard encoded.status == 0 else { throw Failure(what: "quantize vocab", result: encoded) }
    }

    struct Failure: Error, CustomStringConvertible {
        let what: String
        let result: Program.Result
        var description: String { "\(what) ended with \(result.status): \(result.errors)" }
    }

    /// `fcclip-edge` on this model and vocabulary.
    func segment(_ arguments: [String]) throws -> Program.Result {
        try Program.edge.run(["--model", model, "--vocab", vocabulary] + arguments)
    }
}
