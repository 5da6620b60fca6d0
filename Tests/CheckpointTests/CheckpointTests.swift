import Foundation
import TestSupport
import Testing

@testable import Checkpoint
@testable import ModelFormat

/// The released layout on the tiny checkpoint in Tests/Fixtures (seeded random weights in the original's own containers).
@Suite struct CheckpointTests {
    let folder: TemporaryFolder
    let head: String
    let clip: String

    init() throws {
        folder = try TemporaryFolder()
        head = try Fixture.path("tiny/head.pth")
        clip = try Fixture.unpacked("tiny/clip.safetensors", in: folder)
    }

    private func fault(_ checkpoint: String, _ clip: String? = nil) -> String? {
        faultMessage { _ = try Checkpoint(checkpoint: checkpoint, clip: clip) }
    }

    private func names(_ names: [String]) throws -> String {
        var data = 0
        let entries = names.map { name in
            defer { data += 4 }
            return SafeTensorsBuilder.entry(name, "F32", [1], data, data + 4)
        }
        let bytes = SafeTensorsBuilder.bytes("{" + entries.joined(separator: ",") + "}", data: [UInt8](repeating: 0, count: data))
        return try folder.file("names-\(UUID().uuidString)", bytes)
    }

    @Test func readsHeadAndClip() throws {
        let checkpoint = try Checkpoint(checkpoint: head, clip: clip)
        #expect(
            try checkpoint.architecture()
                == Architecture(
                    backbone: .convNeXt(depths: [2, 2, 3, 2], dims: [16, 32, 64, 128]), visualHead: .mlp(hidden: 128), embedding: 64,
                    hidden: 64, heads: 8, points: 4, encoderLayers: 2, encoderFeedForward: 1024,
                    decoderLayers: 3, decoderFeedForward: 128, queries: 20,
                    text: TextArchitecture(width: 128, layers: 2, vocabulary: 49408, context: 77)))
        #expect(checkpoint.names.count == 262)
        #expect(checkpoint.sources.map(\.path) == [head, clip])
        #expect(Set(checkpoint.sources.map(\.hash)).count == 2)

        // The distribution of the fixture's weights.
        let scale = try checkpoint.tensor("backbone.clip_model.logit_scale").floats()
        #expect(scale.count == 1 && abs(scale[0] - log(100)) < 1e-5)
        let headScale = try checkpoint.tensor("sem_seg_head.predictor.logit_scale").floats()
        #expect(headScale.count == 1 && abs(headScale[0] - log(80)) < 1e-5)
        for name in checkpoint.names where name.hasSuffix("gamma") {
            #expect(try checkpoint.tensor(name).floats().allSatisfy { (0.2...1).contains($0) }, "\(name)")
        }
        for name in checkpoint.names {
            let tensor = try checkpoint.tensor(name)
            #expect(tensor.name == name && tensor.shape == checkpoint.shape(name) && checkpoint.has(name))
            #expect(tensor.withFloats { $0.allSatisfy { $0.isFinite && abs($0) < 100 } }, "\(name)")
            tensor.release()
        }
        #expect(checkpoint.shape("absent") == nil && !checkpoint.has("absent"))
        #expect(faultMessage { _ = try checkpoint.tensor("absent") } == "\(head) + \(clip): tensor absent is missing")
    }

    /// Prefixes that wrappers put before the names, also nested.
    @Test(arguments: ["module.", "model.", "_orig_mod.", "module.module.", "model._orig_mod.", "_orig_mod.module."]) func wrappedNames(prefix: String) throws {
        let plain = [
            "sem_seg_head.predictor.logit_scale", "void_embedding.weight", "backbone.clip_model.token_embedding.weight",
            "backbone.clip_model.visual.trunk.stem.0.weight",
        ]
        #expect(try Checkpoint(checkpoint: try names(plain.map { prefix + $0 }), clip: nil).names == plain.sorted())
        let clip = ["token_embedding.weight", "logit_scale", "visual.trunk.stem.0.weight"]
        let head = Array(plain.prefix(2))
        #expect(
            try Checkpoint(checkpoint: try names(head), clip: try names(clip.map { prefix + $0 })).names
                == (head + clip.map { "backbone.clip_model." + $0 }).sorted())
        let within = plain.map { $0.replacing("predictor.", with: "predictor._orig_mod.").replacing("visual.", with: "visual._orig_mod.") }
        #expect(try Checkpoint(checkpoint: try names(within), clip: nil).names == plain.sorted())
        #expect(fault(try names(plain + [prefix + plain[0]]))?.contains("occurs twice") == true)
    }

    @Test func missingPartsAreNamedWithTheirSource() throws {
        let onlyHead = try #require(fault(head))
        #expect(onlyHead.hasPrefix(head) && onlyHead.contains("--clip: open_clip's file of a CLIP whose stages have 16, 32, 64 and 128 channels"))
        let onlyClip = try #require(fault(clip))
        #expect(onlyClip.hasPrefix(clip) && onlyClip.contains("segmentation head") && onlyClip.contains("--checkpoint"))
        #expect(fault(head, head)?.contains("occurs twice") == true)
        #expect(fault(clip, head) == nil)
    }

    @Test func otherClipsAreRefused() throws {
        let text = ["token_embedding.weight", "positional_embedding"]
        #expect(fault(head, try names(text + ["visual.transformer.resblocks.0.ln_1.weight"]))?.contains("vision transformer") == true)
        #expect(fault(head, try names(text))?.contains("only CLIP's text encoder") == true)
        #expect(fault(head, try names(["visual.trunk.stem.0.weight"]))?.contains("only CLIP's picture encoder") == true)
        #expect(fault(try names(["conv1.weight"]))?.contains("no tensor of FC-CLIP") == true)
    }

    @Test func aDamagedTensorIsFoundWhenRead() throws {
        var bytes = try Fixture.bytes("tiny/head.pth")
        // The middle of the file has weights.
        bytes[bytes.count / 2] ^= 1
        let checkpoint = try Checkpoint(checkpoint: folder.file("damaged.pth", bytes), clip: clip)
        let damaged = checkpoint.names.filter { name in faultMessage { _ = try checkpoint.tensor(name) } != nil }
        #expect(damaged.count == 1)
    }

    @Test func truncatedAnywhereIsRefused() throws {
        let bytes = try Fixture.bytes("tiny/head.pth")
        var generator = SplitMix(seed: 1)
        for _ in 0..<200 {
            let count = Int(generator.next() % UInt64(bytes.count))
            #expect(fault(try folder.file("truncated.pth", Array(bytes[..<count])), clip) != nil, "\(count) bytes")
        }
    }

    /// Memory stays free while a checkpoint is read tensor by tensor.
    @Test func releaseGivesMemoryBack() throws {
        let size = 96 << 20
        let path = try folder.file(
            "large",
            SafeTensorsBuilder.bytes(
                "{" + SafeTensorsBuilder.entry("a", "F32", [size / 4], 0, size) + "}", data: [UInt8](repeating: 1, count: size)))
        let file = try TensorFile.open(path: path)
        let tensor = try #require(file.tensor("a"))
        _ = try file.contentHash()
        let before = try residentBytes()
        #expect(tensor.withFloats { $0.reduce(0, +) }.isFinite)
        let read = try residentBytes()
        tensor.release()
        let released = try residentBytes()
        // Other tests run at the same time, hence the margins.
        #expect(read - before > size / 2, "zero-copy: the mapped pages are resident")
        #expect(read - released > size / 2)
    }

    private func residentBytes() throws -> Int {
        let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
        return (Int(pages) ?? 0) * 4096
    }
}
