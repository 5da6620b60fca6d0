import CVersion

/// The version of the programs.
public enum ProgramVersion {
    public static let number = "0.1"

    /// The commit that the program was built from, as `git describe --tags --always --dirty` names it; nil when the build did not know it.
    public static var commit: String? {
        let text = String(cString: version_commit())
        return text.isEmpty ? nil : text
    }

    /// As in `0.1 (1a2b3c4)`.
    public static var text: String { number + (commit.map { " (\($0))" } ?? "") }
}
