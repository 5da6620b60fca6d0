import ArgumentParser
import Network

/// How much CLIP's own classifier counts in the geometric ensemble (FC-CLIP paper, equation 7).
struct EnsembleOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Share of CLIP's own classifier in the ensemble, 0...1, for classes seen in training; else that of a model file that is read, else the paper's 0.4.", valueName: "share"))
    var seenShare: Float?

    @Option(help: ArgumentHelp("The same for unseen classes; else that of a model file that is read, else the paper's 0.8.", valueName: "share"))
    var unseenShare: Float?

    func validate() throws {
        for share in [seenShare, unseenShare] {
            guard share.map({ (0...1).contains($0) }) ?? true else { throw ValidationError("shares are 0...1") }
        }
    }

    /// The options as they were given, each after a space.
    var arguments: String {
        (seenShare.map { " --seen-share \($0)" } ?? "") + (unseenShare.map { " --unseen-share \($0)" } ?? "")
    }

    /// What was asked for, and `otherwise` for the rest.
    func shares(otherwise: Ensemble = Ensemble()) -> Ensemble {
        Ensemble(seen: seenShare ?? otherwise.seen, unseen: unseenShare ?? otherwise.unseen)
    }
}
