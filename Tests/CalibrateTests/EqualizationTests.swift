import Checkpoint
import Imaging
import Kernels
import ModelFormat
import Network
import System
import TestSupport
import Testing

@testable import Calibrate

/// Rewrites leave the float32 network's results as they are.
@Suite struct EqualizationTests {
    private func masks(_ checkpoint: Checkpoint, _ rewrites: Rewrites) throws -> [Float] {
        let preprocessing = Preprocessing(shortestEdge: 64, maximumSize: 107)
        let calibration = try Calibration(checkpoint, preprocessing: preprocessing, rewrites: rewrites, threads: 2)
        let preprocessor = Preprocessor(preprocessing)
        preprocessor.resize(try Picture.read(path: try Fixture.path("pictures/synth_161x97.png")))
        var values: [Float] = []
        preprocessor.withResized {
            calibration.network.run($0, size: preprocessor.resizedSize, padded: preprocessor.paddedSize, classifier: calibration.anyClassifier) { prediction in
                for matrix in [prediction.masks, prediction.probabilities] { values += UnsafeBufferPointer(start: matrix.base, count: matrix.count) }
            }
        }
        return values
    }

    @Test func theNetworkComputesTheSame() throws {
        let folder = try TemporaryFolder()
        let checkpoint = try Checkpoint(checkpoint: try Fixture.path("tiny/head.pth"), clip: try Fixture.unpacked("tiny/clip.safetensors", in: folder))
        let architecture = try checkpoint.architecture()
        var random = SplitMix(seed: 1)
        func factors() -> [Float] { (0..<architecture.hidden).map { _ in Float(1 + random.next() % 100) / 10 } }
        var rewrites = Rewrites()
        for index in 0..<architecture.encoderLayers {
            rewrites.equalize("pixel_decoder.layer\(index).value", factors(), dividedBy: "pixel_decoder.layer\(index).output")
        }
        for index in 0..<architecture.decoderLayers {
            for kind in ["cross", "self"] {
                let name = "mask_decoder.layer\(index).\(kind)."
                rewrites.equalize(name + "query", factors(), against: name + "key")
                rewrites.equalize(name + "value", factors(), dividedBy: name + "output")
            }
        }
        rewrites.rotatesMasks = true
        let plain = try masks(checkpoint, Rewrites())
        let rewritten = try masks(checkpoint, rewrites)
        let power = plain.reduce(0.0) { $0 + Double($1 * $1) }
        let noise = zip(plain, rewritten).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        #expect(plain != rewritten)
        #expect(noise < 1e-8 * power)
    }

    @Test(arguments: [1, 2, 12, 64, 96, 256]) func theRotationKeepsLengthsAndMeans(count: Int) {
        var random = SplitMix(seed: UInt64(count))
        let values = (0..<count).map { _ in Float(random.next() % 1000) / 100 }
        var rotated = values
        MaskRotation.rotate(&rotated)
        func sum(_ values: [Float], _ power: Int) -> Float { values.reduce(0) { $0 + (power == 1 ? $1 : $1 * $1) } }
        for power in 1...2 { #expect(abs(sum(rotated, power) - sum(values, power)) <= 1e-4 * abs(sum(values, power))) }
        MaskRotation.rotate(&rotated)
        for (one, other) in zip(values, rotated) { #expect(abs(one - other) < 1e-4) }
        guard count >= 64 else { return }
        var outlier = [Float](repeating: 0, count: count)
        outlier[0] = 100
        MaskRotation.rotate(&outlier)
        #expect(outlier.allSatisfy { abs($0) < 50 })
    }
}
