import ArgumentParser
import CSystem
import ModelFormat

/// How much CLIP's own classifier counts in the geometric ensemble (FC-CLIP paper, equation 7).
struct EnsembleOptions: ParsableArguments {
    @Option(
        name: [.customLong("alpha"), .customLong("seen-share")],
        help: ArgumentHelp(
            "Weight of CLIP's own classifier, 0...1, for classes seen in training; default: the model file's, or the paper's 0.4.", valueName: "weight"))
    var alpha: Float?

    @Option(
        name: [.customLong("beta"), .customLong("unseen-share")],
        help: ArgumentHelp("Weight of CLIP's own classifier, 0...1, for unseen classes; default: the model file's, or the paper's 0.8.", valueName: "weight"))
    var beta: Float?

    func validate() throws {
        for (name, weight) in [("--alpha", alpha), ("--beta", beta)] {
            guard weight.map({ (0...1).contains($0) }) ?? true else { throw ValidationError("\(name) is 0...1") }
        }
    }

    /// The options as they were given, each after a space; in the spelling that the first model files recorded.
    var arguments: String {
        (alpha.map { " --seen-share \($0)" } ?? "") + (beta.map { " --unseen-share \($0)" } ?? "")
    }

    /// What was asked for, and `otherwise` for the rest.
    func weights(otherwise: Ensemble = Ensemble()) -> Ensemble {
        Ensemble(alpha: alpha ?? otherwise.alpha, beta: beta ?? otherwise.beta)
    }
}
