import Checkpoint
import Foundation
import ModelFormat
import TestSupport
import Testing

/// `quantize` on the CLIPs of ResNets in OpenAI's archives.
@Suite struct ResNetCommandTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// A tokenizer without merges has 514 tokens.
    private static let architecture = Architecture(
        backbone: .resNet(depths: [1, 1, 1, 1], width: 2), visualHead: .attentionPool(grid: 1), embedding: 8, hidden: 32, heads: 8, points: 1,
        encoderLayers: 1, encoderFeedForward: 4, decoderLayers: 1, decoderFeedForward: 4, queries: 2,
        text: TextArchitecture(width: 64, layers: 1, vocabulary: 514, context: 77, activation: .quickGELU))

    /// CLIP's part with seeded weights, in fp16 as OpenAI has them. - Parameter roots: beginnings of the names that are left out.
    private func archive(without roots: [String] = []) throws -> String {
        let prefix = "backbone.clip_model."
        var generator = SplitMix(seed: 1)
        let layout = Self.architecture.layout.filter { item in item.key.hasPrefix(prefix) && !roots.contains { item.key.hasPrefix(prefix + $0) } }
        var builder = TorchBuilder(
            layout.sorted { $0.key < $1.key }.enumerated().map { index, item in
                let values = (0..<item.value.reduce(1, *)).map { _ in Float(generator.next() % 1000) / 500 - 1 }
                return TorchBuilder.Tensor(String(item.key.dropFirst(prefix.count)), key: "\(index)", shape: item.value, halves: values)
            })
        builder.tensors.append(TorchBuilder.Tensor("input_resolution", key: "size", shape: [], integers: [224]))
        builder.isProgram = true
        return try folder.file("RN.pt", builder.bytes())
    }

    private func vocabulary(_ clip: String, _ options: [String] = []) throws -> (result: Program.Result, bytes: Data?) {
        let merges = try folder.file("merges", Array("#version: 0.2\n".utf8))
        let path = folder.path("vocabulary.gguf")
        try? FileManager.default.removeItem(atPath: path)
        let result = try Program.quantize.run(["vocab", "--clip", clip, "--tokenizer", merges, "--output", path] + options + ["cat", "dog"])
        return (result, FileManager.default.contents(atPath: path))
    }

    @Test func vocabulariesOfOpenAIsArchivesUseQuickGELU() throws {
        let clip = try archive()
        let (result, bytes) = try vocabulary(clip)
        #expect(result.status == 0 && result.errors.contains("embeddings 8 wide (quickgelu)"), "\(result.errors)")
        #expect(try vocabulary(clip, ["--text-activation", "quickgelu"]).bytes == bytes && bytes != nil)
        let overruled = try vocabulary(clip, ["--text-activation", "gelu"])
        #expect(overruled.result.errors.contains("(gelu)") && overruled.bytes != nil && overruled.bytes != bytes)
        // Without the picture encoder nothing tells whose weights these are.
        let alone = try archive(without: ["visual."])
        #expect(try vocabulary(alone).result.errors.contains("(gelu)"))
        #expect(try vocabulary(alone, ["--text-activation", "quickgelu"]).result.errors.contains("(quickgelu)"))
        let unknown = try vocabulary(clip, ["--text-activation", "relu"]).result
        #expect(unknown.status != 0 && unknown.errorLines.count == 1 && unknown.errors.contains("quickgelu"), "\(unknown.errors)")
    }

    @Test func anArchiveIsNotAHead() throws {
        let clip = try archive()
        let result = try Program.quantize.run(["--checkpoint", clip, "--calib", Fixture.path("pictures/rgb.png"), "--output", folder.path("m.gguf")])
        #expect(result.status == 1 && result.errorLines.count == 1 && result.errors.contains("holds only CLIP; the trained"), "\(result.errors)")
        let truncated = try folder.file("short.pt", Array([UInt8](try Data(contentsOf: URL(filePath: clip))).dropLast(100)))
        let refused = try vocabulary(truncated).result
        #expect(refused.status == 1 && refused.errorLines.count == 1 && refused.errors.hasPrefix("quantize: error: \(truncated): "), "\(refused.errors)")
    }

    @Test func inspectShowsTheTrunk() throws {
        let path = folder.path("model.gguf")
        let writer = try GGUFWriter(path: path)
        try writer.set(Self.architecture)
        try writer.commit()
        let result = try Program.quantize.run(["inspect", path])
        for (key, value) in [
            ("fcclip.backbone.kind", "resnet"), ("fcclip.backbone.depths", "1, 1, 1, 1"), ("fcclip.backbone.dims", "8, 16, 32, 64"),
            ("fcclip.attention_pool.grid", "1"), ("fcclip.text.activation", "quickgelu"),
        ] {
            #expect(result.output.split(separator: "\n").contains { $0.hasPrefix(key + " ") && $0.contains(value) }, "\(key): \(result.output)")
        }
    }
}
