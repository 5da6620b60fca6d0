import ArgumentParser
import CSystem
import ModelFormat

/// Weights of the out-of-vocabulary classifier in the geometric ensemble (FC-CLIP, equation 7).
struct EnsembleOptions: ParsableArguments {
    @Option(
        name: [.customLong("alpha"), .customLong("seen-share")],
        help: ArgumentHelp(
            "Ensemble weight of the out-of-vocabulary (CLIP) classifier for classes seen in training, 0...1. Default: as in the model file, or 0.4.",
            valueName: "weight"))
    var alpha: Float?

    @Option(
        name: [.customLong("beta"), .customLong("unseen-share")],
        help: ArgumentHelp(
            "Ensemble weight of the out-of-vocabulary (CLIP) classifier for unseen classes, 0...1. Default: as in the model file, or 0.8.", valueName: "weight")
    )
    var beta: Float?

    func validate() throws {
        for (name, weight) in [("--alpha", alpha), ("--beta", beta)] {
            guard weight.map({ (0...1).contains($0) }) ?? true else { throw ValidationError("\(name) is 0...1") }
        }
    }

    /// The given options as a command line, each after a space. Model files record them in their first spelling, so that equal inputs give equal files.
    var arguments: String {
        (alpha.map { " --seen-share \($0)" } ?? "") + (beta.map { " --unseen-share \($0)" } ?? "")
    }

    /// The given weights; `otherwise` where one is not given.
    func weights(otherwise: Ensemble = Ensemble()) -> Ensemble {
        Ensemble(alpha: alpha ?? otherwise.alpha, beta: beta ?? otherwise.beta)
    }
}
