import CBoard

/// What a program does before anything else.
public enum ProgramStart {
    /// Takes the standard descriptors that the program was started without out of use, so that no file gets their numbers, and lets signals
    /// that end the program remove unfinished files. Reading from or writing to such a descriptor then fails as it would on a closed one.
    public static func prepare() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where isClosed(descriptor) {
            // The lowest free number is the one at hand: those below are open.
            _ = board_open_nothing()
        }
        UnfinishedFiles.prepare()
    }

    private static func isClosed(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) != 0
    }
}
