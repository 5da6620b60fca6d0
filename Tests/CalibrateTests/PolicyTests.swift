import Calibrate
import Checkpoint
import Foundation
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
        try calibration.observe([try Fixture.path("pictures/synth_161x97.png")]) { _, _ in }
        calibration.decide { _ in }
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
        let int8 = QuantizationDecision(range: .minMax, migration: 0.5, rounding: .nearest)
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
                "mask_decoder.pool int8 min-max 0.5 nearest", "mask_decoder.pool float32 best best best",
                "mask_decoder.class_embedding* float32 best best best", "pixel_decoder.layer1.offsets float32 best best best",
            ])
        _ = try SegmentationNetwork(IntegerArithmetic(model, kernels: .best, threads: 2), model.architecture)
    }

    /// What was decided is recorded for every layer, and obeyed when it is given back as a table.
    @Test func aTableOfTheDecisionsGivesTheSameModel() throws {
        let folder = try TemporaryFolder()
        let first = try model(.standard, folder)
        let table = folder.path("table.txt")
        let lines = try first.file.strings("fcclip.calibration.decisions")
        #expect(lines.count > 40 && lines.contains { $0.hasPrefix("backbone.stage0.block0.expand int8 ") })
        try lines.joined(separator: "\n").write(toFile: table, atomically: true, encoding: .utf8)
        var policy = QuantizationPolicy.standard
        policy.rules.insert(contentsOf: try QuantizationTable.read(table), at: 0)
        let second = try model(policy, try TemporaryFolder())
        #expect(first.points.keys == second.points.keys)
        for (name, point) in first.points { #expect(second.points[name]?.scale == point.scale && second.points[name]?.zeroPoint == point.zeroPoint, "\(name)") }
    }

    @Test(arguments: [
        ("a int9", "'int9' is no precision"), ("a int8 most", "'most' is no range"), ("a int8 best 2", "'2' is no migration"),
        ("a int8 best best up", "'up' is no rounding"),
    ])
    func aBadLineIsNamed(line: String, message: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path("table.txt")
        try "# comment\n\n\(line)\n".write(toFile: path, atomically: true, encoding: .utf8)
        let fault = #expect(throws: Fault.self) { try QuantizationTable.read(path) }
        #expect(fault?.message.hasPrefix("\(path), line 3: \(message)") == true, "\(fault?.message ?? "")")
    }

    @Test func wordsMayBeLeftOut() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("table.txt")
        try "a\nb* float32 # slow\nc int8 mean-square 0.75 second-order 31.5 dB\nd int8 best 1\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(
            try QuantizationTable.read(path) == [
                .init("a", .init()), .init("b*", .init(precision: .float32)), .init("c", .init(range: .meanSquare, migration: 0.75, rounding: .secondOrder)),
                .init("d", .init(migration: 1)),
            ])
    }
}
