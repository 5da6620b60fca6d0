import Calibrate
import Checkpoint
import Kernels
import TestSupport
import Testing

/// The fp32 network against tensors recorded from the original implementation.
@Suite struct ReferenceTests {
    @Test(arguments: ["tiny_a", "tiny_b", "tiny_sem"])
    func everyRecordedTensorAgrees(name: String) throws {
        let folder = try TemporaryFolder()
        let checkpoint = try Checkpoint(
            checkpoint: try Fixture.path("tiny/head.pth"), clip: try Fixture.unpacked("tiny/clip.safetensors", in: folder))
        let dump = try ReferenceDump(path: try Fixture.unpacked("tiny/\(name).safetensors", in: folder))
        let comparison = try ReferenceComparison(checkpoint, dump: dump, threads: 2)
        expectTensorsAgree(comparison)
        if let mismatch = comparison.semanticMismatch { #expect(mismatch <= 1e-4) }
        if let mismatch = comparison.panopticMismatch { #expect(mismatch <= 1e-4) }
        if let equal = comparison.segmentsEqual { #expect(equal) }
        if let deviation = comparison.instanceDeviation { #expect(deviation <= 1e-4) }
        #expect(comparison.semanticMismatch != nil)
        #expect((comparison.panopticMismatch != nil) == (name != "tiny_sem"))
        #expect((comparison.instanceDeviation != nil) == (name != "tiny_sem"))
    }
}

/// Every recorded tensor was compared and agrees; attention masks differ by rounding only.
func expectTensorsAgree(_ comparison: ReferenceComparison) {
    #expect(comparison.missing.isEmpty)
    #expect(comparison.deviations.count > 60)
    #expect(!comparison.attentionMasks.isEmpty)
    #expect(comparison.attentionMasks.allSatisfy { $0.isRounding })
    for deviation in comparison.deviations {
        if deviation.name.hasSuffix("attn_mask") {
            #expect(deviation.unequal <= 1e-4, "\(deviation.name)")
        } else {
            #expect(deviation.relative <= 2e-5, "\(deviation.name)")
        }
        if deviation.name.hasPrefix("prob.") { #expect(deviation.largest <= 1e-4, "\(deviation.name)") }
    }
}
