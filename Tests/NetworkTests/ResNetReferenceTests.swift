import Calibrate
import Checkpoint
import Foundation
import Kernels
import TestSupport
import Testing
import Text

/// The fp32 network with a CLIP ResNet, and its text encoder, against the reference in PyTorch (`Tests/Fixtures/tiny_resnet`).
@Suite struct ResNetReferenceTests {
    private func checkpoint(in folder: TemporaryFolder) throws -> Checkpoint {
        try Checkpoint(
            checkpoint: try Fixture.unpacked("tiny_resnet/head.pth", in: folder), clip: try Fixture.unpacked("tiny_resnet/clip.safetensors", in: folder))
    }

    @Test(arguments: ["tiny_resnet_a", "tiny_resnet_b"])
    func everyRecordedTensorAgrees(name: String) throws {
        let folder = try TemporaryFolder()
        let dump = try ReferenceDump(path: try Fixture.unpacked("tiny_resnet/\(name).safetensors", in: folder))
        let comparison = try ReferenceComparison(try checkpoint(in: folder), dump: dump, threads: 2)
        expectTensorsAgree(comparison)
        #expect(try #require(comparison.semanticMismatch) <= 1e-4)
        #expect(try #require(comparison.panopticMismatch) <= 1e-4)
        #expect(try #require(comparison.segmentsEqual))
        #expect(try #require(comparison.instanceDeviation) <= 1e-4)
    }

    /// A recorded bit that the logits contradict is not taken over, whatever the tensors behind it are like.
    @Test func attentionMasksFollowFromLogits() throws {
        let folder = try TemporaryFolder()
        let path = try Fixture.unpacked("tiny_resnet/tiny_resnet_a.safetensors", in: folder)
        var file = try Data(contentsOf: URL(filePath: path))
        let start = 8 + file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try #require(try JSONSerialization.jsonObject(with: file[8..<start]) as? [String: [String: Any]])
        let offsets = try #require(header["dec.h2.attn_mask"]?["data_offsets"] as? [Int])
        file[start + offsets[0] + 5] ^= 1
        try file.write(to: URL(filePath: path))
        let comparison = try ReferenceComparison(try checkpoint(in: folder), dump: try ReferenceDump(path: path), threads: 2)
        let changed = comparison.attentionMasks.filter { $0.differing > 0 }
        #expect(changed.map(\.name) == ["dec.h2.attn_mask"])
        #expect(changed.allSatisfy { $0.differing == 1 && !$0.isRounding })
        #expect(comparison.deviations.allSatisfy { $0.name.hasSuffix("attn_mask") || $0.relative <= 2e-5 })
    }

    /// OpenAI's text encoders have QuickGELU where LAION's have GELU.
    @Test func textEmbeddingsAgree() throws {
        let folder = try TemporaryFolder()
        let recorded = try TensorFile.open(path: try Fixture.unpacked("tiny_resnet/text.safetensors", in: folder))
        let tokens = try #require(recorded.tensor("tokens"))
        let expected = try #require(recorded.tensor("raw")).floats()
        let length = tokens.shape[1]
        let ids = tokens.floats().map { Int32($0) }
        let end = try #require(ids.max())
        let prompts = stride(from: 0, to: ids.count, by: length).map { start in
            let row = ids[start..<start + length]
            return Array(row.prefix { $0 != end }) + [end]
        }
        let found = try TextEncoder(checkpoint: checkpoint(in: folder)).encode(prompts)
        try #require(found.count == expected.count)
        let error = zip(found, expected).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        let norm = expected.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect((error / norm).squareRoot() <= 1e-5)
    }
}
