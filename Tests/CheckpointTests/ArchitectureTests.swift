import Foundation
import TestSupport
import Testing

@testable import Checkpoint
@testable import ModelFormat

@Suite struct ArchitectureTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static func architecture(visualHidden: Int = 5, stem: Int = 1, points: Int = 2) -> Architecture {
        Architecture(
            backbone: .convNeXt(depths: [1, 2, 1, 1], dims: [stem, 2, 3, 4]), visualHead: visualHidden > 0 ? .mlp(hidden: visualHidden) : .projection,
            embedding: 6,
            hidden: 32, heads: 8, points: points, encoderLayers: 2, encoderFeedForward: 7, decoderLayers: 1, decoderFeedForward: 9, queries: 3,
            text: TextArchitecture(width: 64, layers: 1, vocabulary: 10, context: 4))
    }

    /// A one-file checkpoint of zeros, one byte an element.
    private func checkpoint(_ layout: [String: [Int]], extra: [String] = []) throws -> Checkpoint {
        var entries: [String] = []
        var end = 0
        for (name, shape) in layout {
            let size = shape.reduce(1, *)
            entries.append(SafeTensorsBuilder.entry(name, "I8", shape, end, end + size))
            end += size
        }
        for name in extra { entries.append(SafeTensorsBuilder.entry(name, "I8", [0], end, end)) }
        let bytes = SafeTensorsBuilder.bytes("{" + entries.joined(separator: ",") + "}", data: [UInt8](repeating: 0, count: end))
        return try Checkpoint(checkpoint: folder.file("case.safetensors", bytes), clip: nil)
    }

    private func fault(_ layout: [String: [Int]], extra: [String] = []) -> String? {
        faultMessage { _ = try checkpoint(layout, extra: extra).architecture() }
    }

    @Test(arguments: [0, 5]) func isDerivedFromShapes(visualHidden: Int) throws {
        let expected = Self.architecture(visualHidden: visualHidden)
        let found = try checkpoint(expected.layout).architecture()
        #expect(found == expected)
        #expect(found.visualHidden == visualHidden)
        #expect(found.text.heads == 1 && found.backboneEpsilon == 1e-6)
    }

    @Test func theWidestConvNeXtHasAnotherEpsilon() throws {
        #expect(try checkpoint(Self.architecture(stem: 384).layout).architecture().backboneEpsilon == 1e-5)
    }

    @Test func leftoversOfTrainingAreIgnored() throws {
        let extra = ["criterion.empty_weight", "backbone.clip_model.visual.bn.num_batches_tracked", "backbone.clip_model.attn_mask"]
        #expect(try checkpoint(Self.architecture().layout, extra: extra).architecture() == Self.architecture())
    }

    @Test func modulePrefixesAreDropped() throws {
        let layout = Self.architecture().layout
        let prefixed = Dictionary(uniqueKeysWithValues: layout.map { ("module." + $0.key, $0.value) })
        #expect(try checkpoint(prefixed).architecture() == Self.architecture())
    }

    /// LAION's `open_clip_pytorch_model.bin`: names without the prefix, some wrapped, some from data-parallel training.
    @Test(arguments: [nil, "state_dict"], ["", "module."]) func clipMayBeATorchFile(wrapper: String?, prefix: String) throws {
        let clip = "backbone.clip_model."
        var head: [TorchBuilder.Tensor] = []
        var rest: [TorchBuilder.Tensor] = []
        for (index, item) in Self.architecture().layout.sorted(by: { $0.key < $1.key }).enumerated() {
            let name = item.key.hasPrefix(clip) ? prefix + item.key.dropFirst(clip.count) : item.key
            let tensor = TorchBuilder.Tensor(name, key: "\(index)", shape: item.value, [Float](repeating: Float(index), count: item.value.reduce(1, *)))
            if item.key.hasPrefix(clip) { rest.append(tensor) } else { head.append(tensor) }
        }
        let checkpoint = try Checkpoint(
            checkpoint: folder.file("head.pth", TorchBuilder(head, wrapper: "model").bytes()),
            clip: folder.file("clip.bin", TorchBuilder(rest, wrapper: wrapper).bytes()))
        #expect(try checkpoint.architecture() == Self.architecture())
        for (index, name) in checkpoint.names.enumerated() {
            #expect(try checkpoint.tensor(name).floats().allSatisfy { $0 == Float(index) }, "\(name)")
        }
    }

    @Test func textEncoderStandsAlone() throws {
        let text = Self.architecture().text
        var entries: [String] = []
        var end = 0
        for (name, shape) in text.layout(embedding: 6) {
            let size = shape.reduce(1, *)
            entries.append(SafeTensorsBuilder.entry(name, "I8", shape, end, end + size))
            end += size
        }
        let path = try folder.file(
            "text.safetensors", SafeTensorsBuilder.bytes("{" + entries.joined(separator: ",") + "}", data: [UInt8](repeating: 0, count: end)))
        #expect(try Checkpoint(textEncoderIn: [path]).textArchitecture() == text)
        #expect(faultMessage { _ = try Checkpoint(checkpoint: path, clip: nil) }?.contains("holds only CLIP's text encoder") == true)
    }

    /// Every tensor that is checked is also read, and the other way round.
    @Test(arguments: [architecture(), architecture(visualHidden: 0), ResNetTests.architecture]) func everyTensorBelongsToALayerOrParameter(
        architecture: Architecture
    ) {
        let names = UpstreamNames(architecture)
        var read = Set(names.parameters.values.map(\.key))
        for layer in names.layers.values {
            read.formUnion([layer.weight, layer.bias].compactMap(\.self))
            for fold in layer.folds {
                switch fold {
                case .inputNorm(let norm): read.formUnion([norm + ".weight", norm + ".bias"])
                case .outputScale(let scale): read.insert(scale)
                case .outputBatchNorm(let norm): read.formUnion(["weight", "bias", "running_mean", "running_var"].map { "\(norm).\($0)" })
                }
            }
        }
        #expect(read == Set(names.shapes.keys))
    }

    @Test func everyMissingTensorIsNamed() throws {
        let layout = Self.architecture().layout
        for name in layout.keys {
            var damaged = layout
            damaged[name] = nil
            // Without this tensor, the visual head appears to be of the other kind.
            let expected = name.hasSuffix("head.mlp.fc1.weight") ? "backbone.clip_model.visual.head.proj.weight" : name
            let parts = ["trunk.stem.0.weight", "token_embedding.weight"].contains { name.hasSuffix($0) }
            let message = fault(damaged)
            #expect(message?.contains(parts ? "FC-CLIP needs both" : expected + " is missing") == true, "\(name): \(message ?? "accepted")")
        }
    }

    @Test func everyOtherShapeIsRefused() throws {
        let layout = Self.architecture().layout
        for (name, shape) in layout {
            for other in [shape + [1], shape.map { $0 + 1 }, shape.isEmpty ? [2] : Array(shape.dropFirst())] where other != shape {
                var damaged = layout
                damaged[name] = other
                let message = fault(damaged)
                // If numbers are derived from a tensor, the fault may name other tensors, or a width that cannot be divided.
                #expect(
                    message?.contains("has shape") == true || message?.contains("cannot be divided") == true || message?.contains("is missing") == true,
                    "\(name) \(other): \(message ?? "accepted")")
                #expect(message?.hasPrefix("not a fault") == false)
            }
        }
    }

    @Test func aShapeFaultNamesBothShapes() throws {
        var layout = Self.architecture().layout
        layout["sem_seg_head.predictor.query_embed.weight"] = [4, 32]
        #expect(fault(layout)?.hasSuffix("tensor sem_seg_head.predictor.query_embed.weight has shape [4, 32], expected [3, 32] from the other tensors") == true)
    }

    @Test func emptyAndHugeDimensionsAreRefused() throws {
        var layout = Self.architecture().layout
        layout["backbone.clip_model.ln_final.weight"] = [1 << 62, 0]
        #expect(fault(layout)?.contains("ln_final.weight has shape") == true)
        layout = Self.architecture().layout
        layout["void_embedding.weight"] = [0, 1 << 62]
        #expect(fault(layout)?.contains("void_embedding.weight has shape") == true)
        layout["void_embedding.weight"] = []
        #expect(fault(layout)?.contains("void_embedding.weight has shape []") == true)
    }

    @Test func unknownTensorsAreRefused() throws {
        let name = "sem_seg_head.predictor.transformer_ffn_layers.0.extra.weight"
        #expect(fault(Self.architecture().layout, extra: [name])?.contains("\(name) is not one of FC-CLIP's") == true)
    }

    @Test func widthsThatCannotBeDividedAreRefused() throws {
        let odd = Architecture(
            backbone: .convNeXt(depths: [1, 1, 1, 1], dims: [1, 2, 3, 4]), visualHead: .projection, embedding: 6,
            hidden: 24, heads: 8, points: 1, encoderLayers: 1, encoderFeedForward: 7, decoderLayers: 1, decoderFeedForward: 9, queries: 3,
            text: TextArchitecture(width: 64, layers: 1, vocabulary: 10, context: 4))
        #expect(fault(odd.layout)?.contains("24 wide") == true)
    }

    /// Every number of the architecture is in the file, and in its own place.
    @Test(arguments: [0, 5]) func survivesAModelFile(visualHidden: Int) throws {
        let path = folder.path("architecture-\(visualHidden).gguf")
        let writer = try GGUFWriter(path: path)
        try writer.set(Self.architecture(visualHidden: visualHidden))
        try writer.commit()
        let file = try GGUF(path: path)
        #expect(try Architecture(of: file) == Self.architecture(visualHidden: visualHidden))
        #expect(
            file.keys == [
                "general.alignment", "fcclip.backbone.kind", "fcclip.backbone.depths", "fcclip.backbone.dims", "fcclip.text.activation",
                "fcclip.embedding_length", "fcclip.visual_hidden_length",
                "fcclip.hidden_length", "fcclip.head_count", "fcclip.point_count", "fcclip.encoder.layer_count",
                "fcclip.encoder.feed_forward_length", "fcclip.decoder.layer_count", "fcclip.decoder.feed_forward_length", "fcclip.query_count",
                "fcclip.text.length", "fcclip.text.layer_count", "fcclip.text.vocabulary_size", "fcclip.text.context_length",
                GGUF.tensorChecksums, GGUF.headerChecksum,
            ])
    }
}
