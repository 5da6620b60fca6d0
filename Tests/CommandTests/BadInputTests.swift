import Foundation
import Imaging
import Kernels
import ModelFormat
import System
import TestSupport
import Testing

/// Bad input of any kind gives one line on standard error, exit status 1, and no file, complete or incomplete.
@Suite struct BadInputTests {
    private func expectFault(_ result: Program.Result, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(result.status == 1, "status \(result.status): \(result.errors)", sourceLocation: sourceLocation)
        let faults = result.errorLines.filter { $0.contains("error: ") }
        #expect(faults.count == 1 && result.errorLines.last == faults.first, "\(result.errors)", sourceLocation: sourceLocation)
        for word in words { #expect(faults.first?.contains(word) == true, "\(word) in: \(result.errors)", sourceLocation: sourceLocation) }
    }

    private func edge(_ arguments: [String], model: String? = nil, vocabulary: String? = nil) throws -> Program.Result {
        let tiny = try TinyModel.shared.get()
        return try Program.edge.run(["--model", model ?? tiny.model, "--vocab", vocabulary ?? tiny.vocabulary] + arguments)
    }

    private func quantize(_ arguments: [String], to output: String) throws -> Program.Result {
        try Program.quantize.run(arguments + ["--calib", try Fixture.path("pictures"), "--limit", "1", "--shortest-edge", "64", "--output", output])
    }

    /// The file's bytes, changed.
    private func changed(_ path: String, _ folder: TemporaryFolder, _ change: (inout [UInt8]) -> Void) throws -> String {
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        change(&bytes)
        return try folder.file("changed-" + URL(filePath: path).lastPathComponent, bytes)
    }

    // MARK: - Checkpoints

    @Test(arguments: [0.0, 0.1, 0.5, 0.999])
    func truncatedCheckpoint(fraction: Double) throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        for source in [tiny.head, tiny.clip] {
            let path = try changed(source, folder) { $0.removeLast($0.count - Int(Double($0.count) * fraction)) }
            let files = source == tiny.head ? ["--checkpoint", path, "--clip", tiny.clip] : ["--checkpoint", tiny.head, "--clip", path]
            expectFault(try quantize(files, to: folder.path("model.gguf")), path)
            try FileManager.default.removeItem(atPath: path)
            #expect(try folder.contents().isEmpty)
        }
    }

    @Test func flippedBitInACheckpoint() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let path = try changed(tiny.head, folder) { $0[$0.count / 2] ^= 0x10 }
        expectFault(try quantize(["--checkpoint", path, "--clip", tiny.clip], to: folder.path("model.gguf")), path)
        #expect(try folder.contents() == ["changed-head.pth"])
    }

    @Test func headWithoutItsClip() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        expectFault(try quantize(["--checkpoint", tiny.head], to: folder.path("model.gguf")), "--clip", "open_clip")
        #expect(try folder.contents().isEmpty)
    }

    @Test func checkpointThatIsNone() throws {
        let folder = try TemporaryFolder()
        expectFault(try quantize(["--checkpoint", try TinyModel.picture.get()], to: folder.path("model.gguf")), "synth_420x300.jpg")
        expectFault(try quantize(["--checkpoint", folder.path("absent.pth")], to: folder.path("model.gguf")), "absent.pth")
        #expect(try folder.contents().isEmpty)
    }

    // MARK: - Models and vocabularies

    @Test func corruptModelsAndVocabularies() throws {
        let tiny = try TinyModel.shared.get()
        let picture = try TinyModel.picture.get()
        let folder = try TemporaryFolder()
        for (source, isModel) in [(tiny.model, true), (tiny.vocabulary, false)] {
            let size = try Data(contentsOf: URL(filePath: source)).count
            for position in [3, 30, 200, size / 3, size / 2, size - 10] {
                let path = try changed(source, folder) { $0[position] ^= 0x04 }
                expectFault(try edge(["--image", picture], model: isModel ? path : nil, vocabulary: isModel ? nil : path), path)
            }
            let path = try changed(source, folder) { $0.removeLast($0.count / 3) }
            expectFault(try edge(["--image", picture], model: isModel ? path : nil, vocabulary: isModel ? nil : path), path)
        }
        expectFault(try edge(["--image", picture], model: tiny.vocabulary), "vocabulary")
        expectFault(try edge(["--image", picture], vocabulary: tiny.model), "tiny.gguf")
        expectFault(try edge(["--image", picture], model: folder.path("absent.gguf")), "absent.gguf")
    }

    @Test func modelAndVocabularyOfDifferentClips() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        // A CLIP with another temperature is another CLIP.
        let clip = try changed(tiny.clip, folder) { bytes in
            let header = String(decoding: bytes[8..<8 + Int(bytes[0]) + Int(bytes[1]) << 8 + Int(bytes[2]) << 16], as: UTF8.self)
            let entry = header.firstMatch(of: /"logit_scale":\{[^}]*"data_offsets":\[(\d+),/)
            guard let start = entry.flatMap({ Int($0.1) }) else { return bytes.removeAll() }
            bytes[8 + header.utf8.count + start] ^= 1
        }
        let made = try Program.quantize.run([
            "vocab", "--checkpoint", tiny.head, "--clip", clip, "--tokenizer", TinyModel.tokenizer, "--names", try Fixture.path("tiny/four.txt"),
            "--output", folder.path("other.gguf"),
        ])
        #expect(made.status == 0, "\(made.errors)")
        expectFault(try edge(["--image", try TinyModel.picture.get()], vocabulary: folder.path("other.gguf")), "other.gguf", "another CLIP")
    }

    @Test func vocabularyOfAnotherWidth() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("narrow.gguf")
        let writer = try GGUFWriter(path: path)
        let values: [(String, GGUFWriter.Value)] = [
            ("general.architecture", .string(Vocabulary.architecture)), ("fcclip.vocabulary.version", .uint32(1)),
            ("fcclip.vocabulary.names", .strings(["cat"])), ("fcclip.vocabulary.category.name_count", .uint32s([1])),
            ("fcclip.vocabulary.category.thing", .bools([true])), ("fcclip.vocabulary.category.seen", .bools([true])),
            ("fcclip.vocabulary.category.colour", .uint32s([255])), ("fcclip.vocabulary.category.id", .int32s([-1])),
            (Vocabulary.fingerprintKey, .string("0123456789abcdef")),
        ]
        for (key, value) in values { try writer.set(key, value) }
        try writer.declare(Vocabulary.embeddingsName, shape: [1, 32], kind: .float32)
        try writer.append(Vocabulary.embeddingsName, [1] + [Float](repeating: 0, count: 31))
        try writer.commit()
        expectFault(try edge(["--image", try TinyModel.picture.get()], vocabulary: path), "narrow.gguf", "32 wide")
    }

    @Test func sharesOutOfRange() throws {
        let folder = try TemporaryFolder()
        let tiny = try ModelFile(path: try TinyModel.shared.get().model)
        let path = folder.path("fractions.gguf")
        let network = tiny.architecture
        let mean = PixelStatistics.mean
        let deviation = PixelStatistics.deviation
        for (key, fraction) in [(ModelFile.Key.alpha, 1.5), (ModelFile.Key.beta, -0.1), (ModelFile.Key.beta, Float.nan)] {
            let writer = try GGUFWriter(path: path)
            let values: [(String, GGUFWriter.Value)] = [
                ("general.architecture", .string(ModelFile.architectureName)), (ModelFile.Key.version, .uint32(UInt32(ModelFile.version))),
                (ModelFile.Key.shortestEdge, .uint32(128)), (ModelFile.Key.longestEdge, .uint32(128)),
                (ModelFile.Key.mean, .float32s([mean.0, mean.1, mean.2])), (ModelFile.Key.deviation, .float32s([deviation.0, deviation.1, deviation.2])),
                (key, .float32(fraction)),
            ]
            for (key, value) in values { try writer.set(key, value) }
            try writer.set(network)
            try writer.declare("stem.weight", shape: [8], kind: .int8)
            try writer.append("stem.weight", [Int8](repeating: 1, count: 8))
            try writer.commit()
            expectFault(try edge(["--image", try TinyModel.picture.get()], model: path), "fractions.gguf", "\(key) is \(fraction)")
        }
    }

    // MARK: - Pictures and outputs

    @Test func picturesThatAreNone() throws {
        let folder = try TemporaryFolder()
        let tiny = try TinyModel.shared.get()
        let text = try folder.file("text.jpg", Array("no picture".utf8))
        expectFault(try edge(["--image", text, "--labels", folder.path("labels.png")]), "text.jpg")
        expectFault(try edge(["--image", folder.path("absent.jpg")]), "absent.jpg")
        let truncated = try changed(try TinyModel.picture.get(), folder) { $0.removeLast($0.count / 2) }
        expectFault(try edge(["--image", truncated, "--overlay", folder.path("overlay.png")]), "changed-synth")
        #expect(try folder.contents() == ["changed-synth_420x300.jpg", "text.jpg"])
        let empty = try TemporaryFolder()
        expectFault(try edge(["--image", empty.path]), empty.path)
        expectFault(try Program.quantize.run(tiny.checkpoint + ["--calib", empty.path, "--output", folder.path("model.gguf")]), empty.path)
        #expect(try folder.contents() == ["changed-synth_420x300.jpg", "text.jpg"])
    }

    /// One bad picture of a folder does not affect the others.
    @Test func folderWithABadPicture() throws {
        let folder = try TemporaryFolder()
        let good = try Data(contentsOf: URL(filePath: try TinyModel.picture.get()))
        for name in ["a.jpg", "c.jpg"] { _ = try folder.file(name, [UInt8](good)) }
        _ = try folder.file("b.jpg", Array("no picture".utf8))
        let output = try TemporaryFolder()
        let result = try edge(["--image", folder.path, "--json", output.path("all.json"), "--labels", output.path("labels")])
        #expect(result.status == 1)
        #expect(result.errorLines.count == 2 && result.errorLines[0].contains("b.jpg") && result.errorLines[1].contains("1 of 3"), "\(result.errors)")
        #expect(try String(contentsOfFile: output.path("all.json"), encoding: .utf8).split(separator: "\n").count == 2)
        #expect(try FileManager.default.contentsOfDirectory(atPath: output.path("labels")).sorted() == ["a.jpg.png", "c.jpg.png"])
    }

    /// No output replaces the input or another output.
    @Test func outputsThatCollide() throws {
        let folder = try TemporaryFolder()
        let picture = try folder.file("a.png", [UInt8](try Data(contentsOf: URL(filePath: try Fixture.path("pictures/rgb.png")))))
        expectFault(try edge(["--image", picture, "--overlay", picture]), "--overlay", "--image")
        expectFault(try edge(["--image", folder.path, "--labels", folder.path + "/"]), "--labels", "--image")
        expectFault(try edge(["--image", picture, "--overlay", folder.path("x.png"), "--labels", folder.path("x.png")]), "--labels", "--overlay")
        expectFault(try edge(["--image", picture, "--labels", folder.path("x"), "--logits", folder.path("x")]), "--logits", "--labels")
        #expect(try folder.contents() == ["a.png"])
    }

    @Test func unwritableOutputs() throws {
        let tiny = try TinyModel.shared.get()
        let picture = try TinyModel.picture.get()
        for option in ["--overlay", "--labels", "--logits", "--json"] {
            expectFault(try edge(["--image", picture, option, "/proc/none/here"]), "/proc/none/here")
        }
        expectFault(try quantize(tiny.checkpoint, to: "/proc/none/model.gguf"), "/proc/none/model.gguf")
        let result = try Program.quantize.run(
            [
                "vocab"
            ] + tiny.checkpoint + ["--tokenizer", TinyModel.tokenizer, "--names", try Fixture.path("tiny/four.txt"), "--output", "/proc/none/v.gguf"])
        expectFault(result, "/proc/none/v.gguf")
    }

    /// A file system of 64 KiB, in a mount namespace for the program.
    @Test func fullDisk() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let shell = "mount -t tmpfs -o size=64k full '\(folder.path)' && \"$@\"; status=$?; ls '\(folder.path)'; exit $status"
        let within = "exec unshare --user --map-root-user --mount sh -c '\(shell.replacingOccurrences(of: "'", with: "'\\''"))' sh \"$@\""
        let written = try Program.quantize.run(
            tiny.checkpoint + ["--calib", try TinyModel.picture.get(), "--size", "64", "--output", folder.path("model.gguf")], shell: within)
        expectFault(written, "model.gguf", "No space left")
        #expect(written.output.isEmpty)
        for (option, name) in [("--overlay", "overlay.png"), ("--logits", "logits.npy")] {
            let drawn = try Program.edge.run(
                ["--model", tiny.model, "--vocab", tiny.vocabulary, "--image", try TinyModel.picture.get(), option, folder.path(name)], shell: within)
            expectFault(drawn, name, "No space left")
            #expect(drawn.output.isEmpty)
        }
    }

    // MARK: - Options

    /// Streams do not support mask logits, which are megabytes a frame.
    @Test(arguments: [["--stdin", "yuv420:160x120"], ["--camera", "/dev/video0"]]) func logitsOfAStream(source: [String]) throws {
        let folder = try TemporaryFolder()
        expectFault(try edge(source + ["--logits", folder.path("logits")]), "--logits goes with --image")
        #expect(try folder.contents().isEmpty)
    }

    @Test(arguments: [
        ["--model"], ["--modle", "x"], ["--threads", "0"], ["--threads", "many"], ["--task", "everything"], ["--instruction-set", "mmx"], ["picture.jpg"],
        ["--image", "x.jpg"], ["--help=yes"],
    ])
    func wrongOptions(arguments: [String]) throws {
        expectFault(try Program.edge.run(arguments))
    }
}
