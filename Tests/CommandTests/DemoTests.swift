import Foundation
import Kernels
import TestSupport
import Testing

@testable import Evaluate

/// The shipped demo model finds things by their names.
@Suite struct DemoTests {
    /// Typed words find things that the mask decoder was never trained on, by kind and by colour.
    @Test func typedWordsSelectUnseenThings() throws {
        let folder = try TemporaryFolder()
        let unseen = try DemoModel.unseen()
        let colours = ["red", "green", "blue", "yellow"]
        var prompts = 0
        var selected = 0
        for picture in try DemoModel.pictures() {
            for segment in picture.segments where unseen.contains(segment.category_id) && segment.phrase.contains(" ") {
                // The same thing in a colour that it does not have must not be chosen in its place.
                let kind = try #require(segment.phrase.split(separator: " ").last)
                let other = try #require(colours.first { !segment.phrase.contains($0) }) + " " + kind
                let found = try segments(named: "a \(segment.phrase)", besides: "a \(other)", in: picture, folder)
                let mask = picture.mask(of: segment)
                // Nothing else may get the name: segments with it are on the thing, though perhaps in two pieces.
                let inside = found.map { $0.overlap(mask, isCrowd: true) }
                #expect(inside.allSatisfy { $0 > 0.5 }, "\(picture.name): \(segment.phrase) holds \(inside) of what has its name")
                // Things that are found in one piece are selected.
                if found.count == 1, found[0].overlap(mask, isCrowd: false) > 0.5 { selected += 1 }
                prompts += 1
            }
        }
        print("typed words: \(selected) of \(prompts) select their thing")
        #expect(prompts >= 20 && selected >= 16)
    }

    /// Means over 12 pictures; on 500 see `Calibration/DemoModel/README.md`.
    @Test func isEvaluatedOnItsPictures() throws {
        let folder = try TemporaryFolder()
        let result = try Program.quantize.run([
            "evaluate", "--model", DemoModel.path("model.gguf"), "--vocab", DemoModel.path("vocabulary.gguf"),
            "--pictures", DemoModel.path("pictures"), "--panoptic", DemoModel.path("panoptic.json"), "--output", folder.path("report"), "--worst", "2",
        ])
        #expect(result.status == 0, "\(result.errors)")
        let rows = result.output.split(separator: "\n").map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
        let quality = try #require(rows.first { $0.first == "all (52)" }.flatMap { Double($0[1]) })
        #expect(quality > 70)
        #expect(try String(contentsOfFile: folder.path("report/report.md"), encoding: .utf8).contains("12 pictures, 52 classes, 42 of them seen in training"))
        #expect(try String(contentsOfFile: folder.path("report/report.md"), encoding: .utf8).contains("0.4 for seen classes, 0.9 for unseen ones"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("report/worst")).count == 2)
    }

    // MARK: - Segments by name

    /// The masks that get the name, with the training's classes and another name beside it.
    private func segments(named name: String, besides other: String, in picture: DemoModel.AnnotatedPicture, _ folder: TemporaryFolder) throws -> [BitMask] {
        let vocabulary = folder.path("typed.gguf")
        let encoded = try Program.quantize.run([
            "vocab", "--clip", DemoModel.path("text.pth"), "--tokenizer", DemoModel.tokenizer, "--names", DemoModel.path("seen.txt"),
            "--training-names", DemoModel.path("seen.txt"), "--output", vocabulary, name, other,
        ])
        #expect(encoded.status == 0, "\(encoded.errors)")
        let result = try Program.edge.run([
            "--model", DemoModel.path("model.gguf"), "--vocab", vocabulary, "--image", DemoModel.path("pictures/" + picture.name), "--json", "-",
        ])
        #expect(result.status == 0, "\(result.errors)")
        let line = try JSONDecoder().decode(MainJobTests.Line.self, from: Data(result.output.utf8))
        return try line.segments.filter { $0.name == name }.map { try CocoMask.text($0.rle.counts, size: $0.rle.size).mask(picture.size, place: picture.name) }
    }
}
