import CSystem

/// What a program does before anything else.
public enum ProgramStart {
    /// Takes the standard descriptors that the program was started without out of use, so that no file gets their numbers, and lets signals
    /// that end the program remove unfinished files. Reading from or writing to such a descriptor then fails as it would on a closed one.
    ///
    /// - Parameter mappingFault: for a program that maps files: the line with which it ends when one of them is shortened meanwhile.
    public static func prepare(mappingFault: StaticString? = nil) {
        for descriptor in STDIN_FILENO...STDERR_FILENO where isClosed(descriptor) {
            // The lowest free number is the one at hand: those below are open.
            _ = system_open_nothing()
        }
        UnfinishedFiles.prepare()
        if let mappingFault { UnfinishedFiles.prepareMapping(orSay: mappingFault) }
    }

    private static func isClosed(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) != 0
    }
}
