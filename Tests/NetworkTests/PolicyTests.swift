import Calibrate
import Checkpoint
import Imaging
import Kernels
import ModelFormat
import Network
import Runtime
import System
import TestSupport
import Testing

/// The layers that become int8, their methods, and the record of these in the model file.
@Suite struct PolicyTests {
    private static let key = "fcclip.calibration.policy"

    /// The fixture's checkpoint, quantized by `policy`.
    private func model(_ policy: QuantizationPolicy, _ folder: TemporaryFolder) throws -> ModelFile {
        let checkpoint = try Checkpoint(checkpoint: try Fixture.path("tiny/head.pth"), clip: try Fixture.unpacked("tiny/clip.safetensors", in: folder))
        let calibration = try Calibration(checkpoint, preprocessing: Preprocessing(shortestEdge: 64, maximumSize: 107), policy: policy, threads: 2)
        try calibration.observe([try Fixture.path("pictures/synth_161x97.png")]) { _ in }
        let path = folder.path("model.gguf")
        _ = try ModelWriter(calibration, ensemble: Ensemble(), options: "").write(to: path)
        return try ModelFile(path: path)
    }

    private func floatLayers(_ model: ModelFile) -> Set<String> {
        Set(model.file.tensors.filter { $0.name.hasSuffix(".weight") && $0.kind == .float32 && !$0.name.contains("norm") }.map(\.name))
    }

    @Test func theClassifierStaysInFloat() throws {
        let folder = try TemporaryFolder()
        let model = try model(.standard, folder)
        #expect(floatLayers(model) == Set(["pool", "class_embedding0", "class_embedding1", "class_embedding2"].map { "mask_decoder.\($0).weight" }))
        #expect(!model.file.has(Self.key))
        // Averaged, never multiplied.
        #expect(model.points["open_vocabulary.dense"] == nil)
        #expect(model.points["mask_decoder.mask_embeddings"]?.zeroPoint == 0)
        #expect(model.points["backbone.stem.input"]?.scale == 1)
    }

    /// The first rule that fits decides, for every layer that reads a point, and the file records the rules.
    @Test func rulesOverrideTheStandard() throws {
        let folder = try TemporaryFolder()
        var policy = QuantizationPolicy.standard
        let int8 = QuantizationDecision()
        let float = QuantizationDecision(precision: .float32)
        policy.rules.insert(QuantizationPolicy.Rule("mask_decoder.pool", int8), at: 0)
        policy.rules.append(QuantizationPolicy.Rule("pixel_decoder.layer1.offsets", float))
        let model = try model(policy, folder)
        let expected =
            ["class_embedding0", "class_embedding1", "class_embedding2"].map { "mask_decoder.\($0).weight" }
            + ["value", "offsets", "weights"].map { "pixel_decoder.layer1.\($0).weight" }
        #expect(floatLayers(model) == Set(expected))
        #expect(
            try model.file.strings(Self.key) == [
                "mask_decoder.pool int8 min-max nearest", "mask_decoder.pool float32 min-max nearest",
                "mask_decoder.class_embedding* float32 min-max nearest", "pixel_decoder.layer1.offsets float32 min-max nearest",
            ])
        _ = try SegmentationNetwork(IntegerArithmetic(model, kernels: .best, threads: 2), model.architecture)
    }

    @Test func minMaxObservesEveryChannel() {
        let observer = MinMaxObserver(channels: 2)
        #expect(observer.ranges == nil && observer.isFinite)
        var values: [Float] = [1, -2, 3, 5]
        values.withUnsafeMutableBufferPointer { observer.observe(Matrix($0.baseAddress!, rows: 2, columns: 2)) }
        #expect(observer.ranges?.least == [1, -2] && observer.ranges?.largest == [3, 5] && observer.ranges?.magnitude(1) == 5)
        values = [.nan, 0]
        values.withUnsafeMutableBufferPointer { observer.observe(Matrix($0.baseAddress!, rows: 1, columns: 2)) }
        #expect(!observer.isFinite)
    }
}
