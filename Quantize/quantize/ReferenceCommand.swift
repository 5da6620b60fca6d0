import ArgumentParser
import Calibrate
import Checkpoint
import Foundation
import Kernels
import System

/// `quantize reference`: the fp32 network against recorded tensors.
struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Compares the fp32 network with tensors recorded from a reference implementation.",
        discussion: """
            Tests/Reference/dump.py records the tensors of the original implementation. Where a mask logit is within 1e-4 of zero, rounding \
            decides: such bits of attention masks are taken over from the record, and queries that pool pixels by them are reported separately.
            """)

    @OptionGroup var source: CheckpointOptions

    @Option(help: ArgumentHelp("Recorded tensors of one picture (.safetensors).", valueName: "file"))
    var dump: String

    @Option(help: "Threads.")
    var threads = processorCount()

    @Option(help: ArgumentHelp("Fail when a tensor's relative root-mean-square error is larger.", valueName: "number"))
    var within = 2e-5

    func run() throws {
        let checkpoint = try Checkpoint(checkpoint: source.path(), clip: source.clip)
        let comparison = try ReferenceComparison(checkpoint, dump: try ReferenceDump(path: dump), threads: threads)
        try printLine("tensor".rightPadded(28) + "relative RMS".leftPadded(14) + "stable queries".leftPadded(16) + "largest".leftPadded(12))
        for deviation in comparison.deviations {
            try printLine(
                deviation.name.rightPadded(28) + number(deviation.relative).leftPadded(14) + number(deviation.relativeOfStable).leftPadded(16)
                    + number(deviation.largest).leftPadded(12))
        }
        for (name, value) in [("semantic labels", comparison.semanticMismatch), ("panoptic pixels", comparison.panopticMismatch)] {
            if let value { try printLine(name.rightPadded(28) + String(format: "%.4f%% equal", 100 * (1 - value)).leftPadded(30)) }
        }
        if let equal = comparison.segmentsEqual { try printLine("panoptic segments".rightPadded(28) + (equal ? "equal" : "different").leftPadded(30)) }
        if let deviation = comparison.instanceDeviation { try printLine("instance scores".rightPadded(28) + number(deviation).leftPadded(30)) }
        let masks = comparison.attentionMasks
        let taken = masks.reduce(0) { $0 + ($1.isRounding ? $1.differing : 0) }
        try printLine("attention mask bits".rightPadded(28) + "\(taken) taken over".leftPadded(30))
        try printLine("queries near the threshold".rightPadded(28) + String(format: "%.1f%%", 100 * comparison.unstableFraction).leftPadded(30))
        for deviation in comparison.deviations {
            let name = deviation.name
            if name.hasSuffix("attn_mask") {
                guard let mask = masks.first(where: { $0.name == name }) else { throw Fault("\(name) has another size") }
                guard Double(mask.differing) <= 1e-3 * Double(mask.count) else { throw Fault("\(name): \(mask.differing) of \(mask.count) bits differ") }
                guard mask.isRounding else { throw Fault("\(name): bits differ whose logits are not near zero") }
                continue
            }
            // Probabilities have a bound of their own: a temperature of 100 multiplies what is left before the softmax.
            let isProbability = name.hasPrefix("prob.")
            let found = isProbability ? deviation.largestOfStable : deviation.relativeOfStable
            let bound = isProbability ? 1e-4 : within
            guard found <= bound else { throw Fault("\(name) is off by \(number(found)), more than \(number(bound))") }
        }
        guard comparison.unstableFraction <= 0.75 else { throw Fault("too few queries are clear of the threshold for a comparison") }
        // Labels depend on all queries. They are compared only where rounding changed no probability.
        let isDecided = comparison.deviations.allSatisfy { !$0.name.hasPrefix("prob.") || $0.largest <= 1e-4 }
        if isDecided {
            let mismatch = max(comparison.semanticMismatch ?? 0, comparison.panopticMismatch ?? 0)
            guard mismatch <= 1e-4, comparison.segmentsEqual ?? true, comparison.instanceDeviation ?? 0 <= 1e-4 else {
                throw Fault("probabilities agree, labels or instances do not")
            }
        } else {
            try printLine("Labels and instances were not compared: rounding decides some of the probabilities.")
        }
        guard comparison.missing.isEmpty else { throw Fault("nothing was compared with \(comparison.missing.joined(separator: ", "))") }
    }

    private func number(_ value: Double) -> String {
        String(format: "%.1e", value)
    }
}
