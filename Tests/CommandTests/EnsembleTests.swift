import Foundation
import Kernels
import ModelFormat
import System
import TestSupport
import Testing

/// The model file stores the ensemble weights.
@Suite struct EnsembleTests {
    @Test func theModelsSharesCount() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let other = folder.path("clip.gguf")
        let made = try Program.quantize.run(
            tiny.checkpoint + ["--calib", tiny.pictures, "--size", "128", "--seen-share", "1", "--unseen-share", "0.9", "--output", other])
        #expect(made.status == 0, "\(made.errors)")
        let weights = [try ModelFile(path: tiny.model).ensemble, try ModelFile(path: other).ensemble].map { [$0.alpha, $0.beta] }
        #expect(weights == [[0.4, 0.8], [1, 0.9]])
        let scores = try [tiny.model, other].map { model in
            let result = try Program.edge.run(["--model", model, "--vocab", tiny.vocabulary, "--image", try TinyModel.picture.get(), "--json", "-"])
            #expect(result.status == 0, "\(result.errors)")
            return try JSONDecoder().decode(MainJobTests.Line.self, from: Data(result.output.utf8)).segments.map(\.score)
        }
        #expect(!scores[0].isEmpty && scores[0] != scores[1])
    }

    @Test func sharesAreCheckedBeforeAnythingIsRead() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        for share in ["-0.1", "1.01", "nan"] {
            let result = try Program.quantize.run(tiny.checkpoint + ["--calib", tiny.pictures, "--alpha=\(share)", "--output", folder.path("model.gguf")])
            #expect(result.status != 0 && result.errors.contains("--alpha is 0...1"), "\(result.errors)")
        }
        #expect(try folder.contents().isEmpty)
    }
}
