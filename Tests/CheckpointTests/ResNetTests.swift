import Foundation
import TestSupport
import Testing

@testable import Checkpoint
@testable import ModelFormat

/// FC-CLIP on CLIP's ResNets: containers, derived numbers, and what is refused.
@Suite struct ResNetTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let clip = "backbone.clip_model."

    static let architecture = Architecture(
        backbone: .resNet(depths: [1, 2, 1, 1], width: 4), visualHead: .attentionPool(grid: 2), embedding: 6, hidden: 32, heads: 8, points: 2,
        encoderLayers: 2, encoderFeedForward: 7, decoderLayers: 1, decoderFeedForward: 9, queries: 3,
        text: TextArchitecture(width: 64, layers: 1, vocabulary: 10, context: 4, activation: .quickGELU))

    // MARK: - Containers

    enum Container: CaseIterable {
        /// open_clip's safetensors, a state dictionary, OpenAI's TorchScript archive.
        case safetensors, dictionary, program
    }

    /// What OpenAI's files hold besides: numbers of batches, and the sizes of pictures and texts.
    private static let extra = ["visual.bn1.num_batches_tracked", "input_resolution", "context_length", "vocab_size"]

    /// Writes tensors, without values of their own; as OpenAI does, matrices and convolutions in fp16, the rest in fp32. - Returns: the path.
    private func write(_ name: String, _ layout: [String: [Int]], as container: Container, extra: [String] = extra) throws -> String {
        let all = layout.merging(extra.map { ($0, []) }) { own, _ in own }.sorted { $0.key < $1.key }
        func kind(_ name: String, _ shape: [Int]) -> (type: String, size: Int) {
            if extra.contains(name) { return ("I64", 8) }
            return shape.count >= 2 && !name.contains("embedding") ? ("F16", 2) : ("F32", 4)
        }
        if container == .safetensors {
            var end = 0
            let entries = all.map { name, shape in
                let (type, size) = kind(name, shape)
                defer { end += shape.reduce(size, *) }
                return SafeTensorsBuilder.entry(name, type, shape, end, end + shape.reduce(size, *))
            }
            return try folder.file(name, SafeTensorsBuilder.bytes("{" + entries.joined(separator: ",") + "}", data: [UInt8](repeating: 0x3c, count: end)))
        }
        var builder = TorchBuilder(
            all.enumerated().map { index, item in
                let count = item.value.reduce(1, *)
                switch kind(item.key, item.value).type {
                case "I64": return TorchBuilder.Tensor(item.key, key: "\(index)", shape: item.value, integers: [224])
                case "F16": return TorchBuilder.Tensor(item.key, key: "\(index)", shape: item.value, halves: [Float](repeating: 0.25, count: count))
                default: return TorchBuilder.Tensor(item.key, key: "\(index)", shape: item.value, [Float](repeating: 0.5, count: count))
                }
            })
        builder.isProgram = container == .program
        return try folder.file(name, builder.bytes())
    }

    /// The layout's tensors of one part; CLIP's under their names in its own files.
    private static func part(_ layout: [String: [Int]], isClip: Bool) -> [String: [Int]] {
        Dictionary(
            uniqueKeysWithValues: layout.filter { $0.key.hasPrefix(clip) == isClip }.map { (isClip ? String($0.key.dropFirst(clip.count)) : $0.key, $0.value) })
    }

    @Test(arguments: Container.allCases) func clipIsReadFromAnyContainer(container: Container) throws {
        let layout = Self.architecture.layout
        let head = try write("head.pth", Self.part(layout, isClip: false), as: .dictionary, extra: [])
        let clip = try write("clip", Self.part(layout, isClip: true), as: container)
        let checkpoint = try Checkpoint(checkpoint: head, clip: clip)
        #expect(try checkpoint.architecture() == Self.architecture)
        #expect(checkpoint.names == layout.keys.sorted())
        if container != .safetensors {
            for (name, shape) in layout {
                let isHalf = shape.count >= 2 && !name.contains("embedding")
                #expect(try checkpoint.tensor(name).floats().allSatisfy { $0 == (isHalf ? 0.25 : 0.5) }, "\(name)")
            }
        }
        #expect(try Checkpoint(textEncoderIn: [clip]).textArchitecture() == Self.architecture.text)
    }

    @Test(arguments: [Container.safetensors, .dictionary]) func oneFileHoldsEverything(container: Container) throws {
        let one = try write("one", Self.architecture.layout, as: container, extra: Self.extra.map { Self.clip + $0 } + ["criterion.empty_weight"])
        #expect(try Checkpoint(checkpoint: one, clip: nil).architecture() == Self.architecture)
    }

    /// All five, from the shapes of one block a stage.
    @Test(arguments: [("RN50", 64, 1024, 7), ("RN101", 64, 512, 7), ("RN50x4", 80, 640, 9), ("RN50x16", 96, 768, 12), ("RN50x64", 128, 1024, 14)])
    func numbersOfTheReleasedOnes(name: String, width: Int, embedding: Int, grid: Int) throws {
        let backbone = Architecture.Backbone.resNet(depths: [1, 1, 1, 1], width: width)
        #expect(backbone.dims.map { $0 / width } == [4, 8, 16, 32])
        let names = UpstreamNames(
            Architecture(
                backbone: backbone, visualHead: .attentionPool(grid: grid), embedding: embedding, hidden: 256, heads: 8, points: 4, encoderLayers: 6,
                encoderFeedForward: 1024, decoderLayers: 9, decoderFeedForward: 2048, queries: 250,
                text: TextArchitecture(width: 512, layers: 12, vocabulary: 49408, context: 77)))
        let needed = try #require(ClipFamily(head: { names.shapes[$0] }))
        let given = try #require(ClipFamily(clip: { names.shapes[$0] }))
        #expect(needed == given && given.description == "CLIP \(name)" && given.isOpenAI)
        #expect(names.shapes["backbone.clip_model.visual.attnpool.positional_embedding"] == [grid * grid + 1, 32 * width])
    }

    // MARK: - Damage

    private func fault(_ layout: [String: [Int]]) throws -> String? {
        let path = try write("case", layout, as: .safetensors, extra: [])
        return faultMessage { _ = try Checkpoint(checkpoint: path, clip: nil).architecture() }
    }

    @Test func everyMissingTensorIsNamed() throws {
        for name in Self.architecture.layout.keys {
            var damaged = Self.architecture.layout
            damaged[name] = nil
            let message = try fault(damaged)
            // Without these, a whole encoder appears to be missing.
            let isPart = [".visual.conv1.weight", "token_embedding.weight"].contains { name.hasSuffix($0) }
            #expect(message?.contains(isPart ? "FC-CLIP needs both" : name + " is missing") == true, "\(name): \(message ?? "accepted")")
        }
    }

    @Test func everyOtherShapeIsRefused() throws {
        for (name, shape) in Self.architecture.layout {
            for other in [shape + [1], shape.map { $0 + 1 }, shape.isEmpty ? [2] : Array(shape.dropFirst())] where other != shape {
                var damaged = Self.architecture.layout
                damaged[name] = other
                let message = try fault(damaged)
                let isRefused = ["has shape", "cannot be divided", "is missing", "not one and a square"].contains { message?.contains($0) == true }
                #expect(isRefused && message?.contains("\n") == false, "\(name) \(other): \(message ?? "accepted")")
            }
        }
    }

    @Test func emptyDimensionsAreRefused() throws {
        var layout = Self.architecture.layout
        layout[Self.clip + "visual.conv3.weight"] = [0, 2, 3, 3]
        #expect(try fault(layout)?.contains("visual.conv3.weight has shape") == true)
    }

    @Test func unknownTensorsAreRefused() throws {
        var layout = Self.architecture.layout
        layout[Self.clip + "visual.layer1.0.extra"] = [1]
        #expect(try fault(layout)?.hasSuffix("visual.layer1.0.extra is not one of FC-CLIP's with a ResNet CLIP") == true)
    }

    // MARK: - Parts that are missing or do not belong together

    /// Tensors of a head that tell which CLIP it was trained on.
    private static func head(stages: [Int], embedding: Int) -> [String: [Int]] {
        let decoder = "sem_seg_head.pixel_decoder."
        return [
            "void_embedding.weight": [1, embedding], decoder + "adapter_1.weight": [1, stages[0], 1, 1],
            decoder + "input_proj.2.0.weight": [1, stages[1], 1, 1],
            decoder + "input_proj.1.0.weight": [1, stages[2], 1, 1], decoder + "input_proj.0.0.weight": [1, stages[3], 1, 1],
        ]
    }

    private static func resNet(stages: [Int], embedding: Int) -> [String: [Int]] {
        var layout = [
            "token_embedding.weight": [1], "text_projection": [1, embedding], "visual.conv1.weight": [1], "visual.attnpool.positional_embedding": [1],
        ]
        for (index, width) in stages.enumerated() { layout["visual.layer\(index + 1).0.conv3.weight"] = [width, 1, 1, 1] }
        return layout
    }

    private static func convNeXt(stages: [Int], embedding: Int) -> [String: [Int]] {
        var layout = ["token_embedding.weight": [1], "text_projection": [1, embedding], "visual.trunk.stem.0.weight": [1]]
        for (index, width) in stages.enumerated() { layout["visual.trunk.stages.\(index).blocks.0.gamma"] = [width] }
        return layout
    }

    private static let released: [(channels: Int, embedding: Int, name: String, sources: [String])] = [
        (192, 768, "ConvNeXt-L (convnext_large_d_320)", ["huggingface.co/laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup"]),
        (256, 1024, "RN50", ["huggingface.co/timm/resnet50_clip.openai,", "OpenAI's RN50.pt"]),
        (256, 512, "RN101", ["huggingface.co/timm/resnet101_clip.openai,", "OpenAI's RN101.pt"]),
        (320, 640, "RN50x4", ["huggingface.co/timm/resnet50x4_clip.openai,", "OpenAI's RN50x4.pt"]),
        (384, 768, "RN50x16", ["huggingface.co/timm/resnet50x16_clip.openai,", "OpenAI's RN50x16.pt"]),
        (512, 1024, "RN50x64", ["huggingface.co/timm/resnet50x64_clip.openai,", "OpenAI's RN50x64.pt"]),
    ]

    private static func stages(_ channels: Int) -> [Int] { (0..<4).map { channels << $0 } }

    @Test(arguments: released.indices) func aHeadNamesItsClip(index: Int) throws {
        let (channels, embedding, _, sources) = Self.released[index]
        let head = try write("head", Self.head(stages: Self.stages(channels), embedding: embedding), as: .safetensors, extra: [])
        for message in [
            faultMessage { _ = try Checkpoint(checkpoint: head, clip: nil) }, faultMessage { _ = try Checkpoint(textEncoderIn: [head]) },
        ] {
            #expect(message?.hasPrefix(head) == true && message?.contains("--clip: open_clip_model.safetensors") == true, "\(message ?? "accepted")")
            #expect(sources.allSatisfy { message?.contains($0) == true }, "\(message ?? "accepted")")
        }
    }

    @Test func aHeadOfAnotherClipDescribesIt() throws {
        let head = try write("head", Self.head(stages: [16, 32, 64, 128], embedding: 64), as: .safetensors, extra: [])
        #expect(
            faultMessage { _ = try Checkpoint(checkpoint: head, clip: nil) }
                == "\(head): holds only the trained segmentation head; pass CLIP with --clip: open_clip's file of a CLIP whose stages have 16, 32, 64 and 128 channels, with embeddings 64 wide"
        )
        let given = try write("clip", Self.resNet(stages: Self.stages(256), embedding: 1024), as: .safetensors, extra: [])
        #expect(
            faultMessage { _ = try Checkpoint(checkpoint: head, clip: given) }
                == "\(head): the head was trained on a CLIP whose stages have 16, 32, 64 and 128 channels, with embeddings 64 wide, but \(given) is CLIP RN50"
        )
        let bare = try write("bare", ["void_embedding.weight": [1, 64]], as: .safetensors, extra: [])
        #expect(faultMessage { _ = try Checkpoint(checkpoint: bare, clip: nil) }?.contains("pass the head's CLIP with --clip") == true)
    }

    /// Every head with every CLIP; only equals are accepted.
    @Test(arguments: released.indices, released.indices) func pairsBelongTogether(first: Int, second: Int) throws {
        let (needed, given) = (Self.released[first], Self.released[second])
        let head = try write("head", Self.head(stages: Self.stages(needed.channels), embedding: needed.embedding), as: .safetensors, extra: [])
        let layout = (second == 0 ? Self.convNeXt : Self.resNet)(Self.stages(given.channels), given.embedding)
        let clip = try write("clip", layout, as: .safetensors, extra: [])
        let message = faultMessage { _ = try Checkpoint(checkpoint: head, clip: clip) }
        if first == second {
            #expect(message == nil, "\(message ?? "")")
        } else {
            let expected = "\(head): the head was trained on CLIP \(needed.name), but \(clip) is CLIP \(given.name); pass CLIP with --clip: "
            #expect(message?.hasPrefix(expected) == true && needed.sources.allSatisfy { message?.contains($0) == true }, "\(message ?? "accepted")")
            #expect(faultMessage { _ = try Checkpoint(textEncoderIn: [head, clip]) } == message)
        }
    }

    @Test func partsOfClipsAreNamed() throws {
        let head = try write("head", Self.head(stages: Self.stages(256), embedding: 1024), as: .safetensors, extra: [])
        func fault(_ change: (inout [String: [Int]]) -> Void) throws -> String? {
            var layout = Self.resNet(stages: Self.stages(256), embedding: 1024)
            change(&layout)
            let clip = try write("clip", layout, as: .safetensors, extra: [])
            let message = faultMessage { _ = try Checkpoint(checkpoint: head, clip: clip) }
            #expect(message?.contains("\n") != true)
            return message
        }
        #expect(try fault { _ in } == nil)
        #expect(try fault { $0["visual.attnpool.positional_embedding"] = nil }?.contains("CLIP's attention pooling (visual.attnpool) is missing") == true)
        #expect(try fault { $0["token_embedding.weight"] = nil }?.contains("holds only CLIP's picture encoder") == true)
        #expect(try fault { $0["visual.conv1.weight"] = nil }?.contains("FC-CLIP needs both") == true)
        #expect(try fault { $0["visual.transformer.resblocks.0.ln_1.weight"] = [1] }?.contains("a vision transformer") == true)
    }

    @Test func aPlainResNetIsNamed() throws {
        let path = try write("resnet50.safetensors", ["conv1.weight": [1], "layer1.0.conv1.weight": [1], "fc.weight": [1]], as: .safetensors, extra: [])
        let head = try write("head", Self.head(stages: Self.stages(256), embedding: 1024), as: .safetensors, extra: [])
        for message in [
            faultMessage { _ = try Checkpoint(checkpoint: path, clip: nil) }, faultMessage { _ = try Checkpoint(checkpoint: head, clip: path) },
        ] {
            #expect(
                message?.hasPrefix("\(path): no tensor of FC-CLIP") == true && message?.hasSuffix("; this is a ResNet without CLIP, as torchvision's") == true)
        }
    }

    @Test func visionTransformersAreRefusedForTextsToo() throws {
        let path = try write("vit", ["token_embedding.weight": [1], "visual.transformer.resblocks.0.ln_1.weight": [1]], as: .safetensors, extra: [])
        #expect(faultMessage { _ = try Checkpoint(textEncoderIn: [path]) }?.contains("a vision transformer") == true)
    }

    // MARK: - The text encoder's activation

    /// A picture encoder tells it; without one, a head does; a text encoder alone has GELU.
    @Test func theActivationFollowsFromTheFiles() throws {
        func activation(_ paths: [String]) throws -> TextArchitecture.Activation { try Checkpoint(textEncoderIn: paths).textArchitecture().activation }
        let text = Self.part(Self.architecture.text.layout(embedding: 1024), isClip: true)
        let alone = try write("text", text, as: .safetensors)
        #expect(try activation([alone]) == .gelu)
        let resNet = text.merging(["visual.conv1.weight": [1]]) { own, _ in own }
        #expect(try activation([try write("resnet", resNet, as: .safetensors)]) == .quickGELU)
        let convNeXt = text.merging(["visual.trunk.stem.0.weight": [1]]) { own, _ in own }
        #expect(try activation([try write("convnext", convNeXt, as: .safetensors)]) == .gelu)
        let rn50 = try write("head", Self.head(stages: Self.stages(256), embedding: 1024), as: .safetensors, extra: [])
        #expect(try activation([rn50, alone]) == .quickGELU)
        let xxlarge = try write("head", Self.head(stages: Self.stages(384), embedding: 1024), as: .safetensors, extra: [])
        #expect(try activation([xxlarge, alone]) == .gelu)
    }

    // MARK: - Model files

    /// Every number of the architecture is in the file, and in its own place; without the activation's key it is GELU.
    @Test func survivesAModelFile() throws {
        let path = folder.path("architecture.gguf")
        let writer = try GGUFWriter(path: path)
        try writer.set(Self.architecture)
        try writer.commit()
        let file = try GGUF(path: path)
        #expect(try Architecture(of: file) == Self.architecture)
        #expect(try file.string("fcclip.backbone.kind") == "resnet" && file.integer("fcclip.attention_pool.grid") == 2)
        #expect(try file.integers("fcclip.backbone.dims") == [16, 32, 64, 128] && file.string("fcclip.text.activation") == "quickgelu")
    }

    @Test func otherActivationsAreRefused() throws {
        let path = folder.path("architecture.gguf")
        let writer = try GGUFWriter(path: path)
        try writer.set("fcclip.backbone.depths", .uint32s([1, 1, 1, 1]))
        try writer.set("fcclip.backbone.dims", .uint32s([1, 2, 3, 4]))
        try writer.set("fcclip.text.activation", .string("relu"))
        for number in Architecture.numbers { try writer.set(number.key, .uint32(UInt32(number.get(Self.architecture)))) }
        try writer.commit()
        #expect(
            faultMessage { _ = try Architecture(of: GGUF(path: path)) }
                == "\(path): the text encoder's activation is relu, which this program does not know")
    }
}
