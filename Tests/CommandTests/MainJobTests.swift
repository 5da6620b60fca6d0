import Foundation
import Kernels
import Network
import System
import TestSupport
import Testing

/// The main job from its real input to its real output: checkpoint, pictures and names to segments.
@Suite struct MainJobTests {
    struct Line: Decodable {
        struct Segment: Decodable {
            struct Runs: Decodable {
                let size: [Int]
                let counts: String
            }

            let id: Int
            let category: Int
            let name: String
            let synonym: String
            let isthing: Bool
            let score: Double
            let area: Int
            let box: [Int]
            let rle: Runs
        }

        struct Extent: Decodable {
            let width: Int
            let height: Int
        }

        struct Source: Decodable {
            let name: String
            let identity: String
        }

        let schema: Int
        let picture: String
        let size: Extent
        let task: String
        let segments: [Segment]
        let timing: [String: Double]
        let model: Source
        let vocabulary: Source
    }

    @Test(arguments: ["panoptic", "semantic", "instance"])
    func segmentsAPicture(task: String) throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let result = try tiny.segment([
            "--image", try TinyModel.picture.get(), "--task", task, "--overlay", folder.path("overlay.png"), "--labels", folder.path("labels.png"), "--json",
            "-",
        ])
        #expect(result.status == 0, "\(result.errors)")
        let line = try JSONDecoder().decode(Line.self, from: Data(result.output.utf8))
        #expect(line.schema == 1 && line.task == task && line.size.width == 420 && line.size.height == 300)
        #expect(!line.segments.isEmpty)
        #expect(line.segments.map(\.id) == Array(1...line.segments.count))
        for segment in line.segments {
            #expect(segment.area > 0 && (0...1).contains(segment.score))
            #expect(segment.rle.size == [300, 420])
            #expect(segment.box[0] >= 0 && segment.box[0] + segment.box[2] <= 420 && segment.box[1] + segment.box[3] <= 300)
            if task == "instance" { #expect(segment.isthing) }
        }
        #expect(line.timing["total"] ?? 0 > 0)
        #expect(line.model.identity.count == 16 && line.vocabulary.identity.count == 16)
        #expect(try folder.contents() == ["labels.png", "overlay.png"])
    }

    /// The table has the numbers of the JSON line, largest segment first.
    @Test func tableOfSegments() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let result = try tiny.segment(["--image", try TinyModel.picture.get(), "--table", "--json", folder.path("line.json")])
        #expect(result.status == 0, "\(result.errors)")
        let line = try JSONDecoder().decode(Line.self, from: Data(contentsOf: URL(filePath: folder.path("line.json"))))
        let segments = line.segments.sorted { ($0.area, $1.id) > ($1.area, $0.id) }
        // JSON has four decimals of a score: it may lie up to half a unit of the last one to either side.
        func expected(_ side: Double) -> [String] {
            ["name kind score area x, y, width x height"]
                + segments.map {
                    "\($0.name) \($0.isthing ? "thing" : "stuff") \(percent($0.score + side * 0.00005)) \(percent(Double($0.area) / (420 * 300))) "
                        + "\($0.box[0]), \($0.box[1]), \($0.box[2]) x \($0.box[3])"
                } + ["\(segments.count) segment\(segments.count == 1 ? "" : "s") in \(decimal(line.timing["total"] ?? 0, 1)) ms"]
        }
        let rows = result.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        #expect(rows.count == segments.count + 2 && zip(rows, zip(expected(-1), expected(1))).allSatisfy { $0 == $1.0 || $0 == $1.1 }, "\(result.output)")
    }

    /// On a terminal, one picture without `--json` gives the table; all other cases, and every pipe, give JSON.
    @Test func tableOnATerminal() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let picture = try TinyModel.picture.get()
        try FileManager.default.createDirectory(atPath: folder.path("all"), withIntermediateDirectories: true)
        for name in ["a.jpg", "b.jpg"] { try FileManager.default.copyItem(atPath: picture, toPath: folder.path("all/" + name)) }
        func terminal(_ arguments: [String]) throws -> String {
            let shell = "python3 -c 'import pty, sys; pty.spawn(sys.argv[1:])' \"$@\""
            let result = try Program.edge.run(["--model", tiny.model, "--vocab", tiny.vocabulary, "--no-masks"] + arguments, shell: shell)
            return result.output.replacing("\r\n", with: "\n")
        }
        let total = /\n\d+ segments? in \d+\.\d ms\n$/
        let table = try terminal(["--image", picture])
        #expect(table.hasPrefix("name ") && table.contains(total) && !table.contains("{"), "\(table)")
        #expect(try terminal(["--image", picture, "--labels", folder.path("l.png")]).contains(total))
        #expect(try terminal(["--image", picture, "--json", "-"]).hasPrefix("{\"schema\""))
        #expect(try terminal(["--image", picture, "--json", folder.path("l.json")]).isEmpty)
        #expect(try terminal(["--image", folder.path("all")]).hasPrefix("{\"schema\""))
        // Several pictures, and frames: each table names its picture or frame.
        let many = try tiny.segment(["--image", folder.path("all"), "--table"]).output
        #expect(many.contains("/all/a.jpg: ") && many.contains("/all/b.jpg: ") && many.hasSuffix(" ms\n\n") && !many.contains("{"), "\(many)")
        let frames = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "mjpeg", "--every-frame", "--table"],
            shell: "cat '\(picture)' '\(picture)' | \"$@\"")
        #expect(frames.output.contains("\nframe 1: ") && frames.output.contains("\nframe 2: ") && !frames.output.contains("{"), "\(frames.output)")
    }

    @Test func segmentsAFolder() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let result = try tiny.segment(["--image", try Fixture.path("pictures"), "--labels", folder.path("labels"), "--json", folder.path("all.json")])
        let lines = try String(contentsOfFile: folder.path("all.json"), encoding: .utf8).split(separator: "\n")
        let labels = try FileManager.default.contentsOfDirectory(atPath: folder.path("labels"))
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.isEmpty)
        #expect(lines.count > 1 && lines.count == labels.count)
    }

    @Test func bytesDoNotDependOnKernelsOrThreads() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let picture = try TinyModel.picture.get()
        func bytes(_ arguments: [String]) throws -> [Data] {
            let result = try tiny.segment(["--image", picture, "--labels", folder.path("labels.png"), "--json", "-"] + arguments)
            #expect(result.status == 0, "\(result.errors)")
            let timeless = result.output.replacing(/"timing":\{[^}]*\}/, with: "")
            return [Data(timeless.utf8), try Data(contentsOf: URL(filePath: folder.path("labels.png")))]
        }
        let reference = try bytes(["--instruction-set", "scalar", "--threads", "1"])
        #expect(try bytes(["--threads", "1"]) == reference)
        #expect(try bytes(["--threads", "3"]) == reference)
        #expect(try bytes(["--isa", "scalar", "--threads", "2"]) == reference)
    }

    @Test(arguments: [("one_pixel.png", 1, 1), ("wide_20000x3.png", 20000, 3), ("progressive.jpg", 53, 37), ("grey.jpg", 53, 37), ("cmyk.jpg", 53, 37)])
    func segmentsUnusualPictures(name: String, width: Int, height: Int) throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let result = try tiny.segment(["--image", try Fixture.path("pictures/" + name), "--labels", folder.path("labels.png"), "--json", "-"])
        #expect(result.status == 0, "\(result.errors)")
        let line = try JSONDecoder().decode(Line.self, from: Data(result.output.utf8))
        #expect(line.size.width == width && line.size.height == height)
    }

    @Test func everyStageIsFaithful() throws {
        let tiny = try TinyModel.shared.get()
        let result = try Program.quantize.run(
            ["stages"] + tiny.checkpoint + ["--model", tiny.model, "--images", tiny.pictures, "--at-least", "25"])
        #expect(result.status == 0, "\(result.errors)")
        for stage in ["backbone stage 3", "encoder layer 1", "mask features", "decoder layer 2", "open-vocabulary head"] {
            #expect(result.output.contains(stage))
        }
    }

    @Test func referenceCommandPrintsTheTable() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let result = try Program.quantize.run(
            ["reference"] + tiny.checkpoint + ["--dump", try Fixture.unpacked("tiny/tiny_b.safetensors", in: folder)])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("pd.mask_features") && result.output.contains("100.0000% equal"))
    }

    @Test func inspectPrintsBothFiles() throws {
        let tiny = try TinyModel.shared.get()
        for (file, words) in [(tiny.model, "fcclip.calibration.pictures"), (tiny.vocabulary, "fcclip-vocabulary")] {
            let result = try Program.quantize.run(["inspect", file, "--tensors"])
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.contains(words) && result.output.contains("checksums match"))
        }
    }

    /// Both files open with the ecosystem's own reader, with the expected contents.
    @Test func filesOpenWithTheGGUFReaderFromPyPI() throws {
        let tiny = try TinyModel.shared.get()
        let script = """
            import sys
            from gguf import GGUFReader
            for path, architecture, tensor in ((sys.argv[1], "fcclip", "backbone.stem.weight"), (sys.argv[2], "fcclip-vocabulary", "vocabulary.embeddings")):
                reader = GGUFReader(path)
                assert reader.fields["general.architecture"].contents() == architecture
                assert any(t.name == tensor for t in reader.tensors), [t.name for t in reader.tensors]
            print("read")
            """
        let python = Process()
        let pipe = Pipe()
        python.executableURL = URL(filePath: "/usr/bin/env")
        python.arguments = ["python3", "-c", script, tiny.model, tiny.vocabulary]
        python.standardOutput = pipe
        try python.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        python.waitUntilExit()
        #expect(python.terminationStatus == 0, "python3 needs PyPI's gguf: python3 -m pip install gguf")
        #expect(String(decoding: output, as: UTF8.self) == "read\n")
    }
}
