import CSystem

/// Set-up at the very start of a program.
public enum ProgramStart {
    /// Occupies standard descriptors that are closed, so that no file gets their numbers; reading and writing them still fails. From then on,
    /// signals that end the program remove unfinished files.
    ///
    /// - Parameter mappingFault: for a program that maps files: the message with which it ends when a mapped file becomes shorter.
    public static func prepare(mappingFault: StaticString? = nil) {
        for descriptor in STDIN_FILENO...STDERR_FILENO where isClosed(descriptor) {
            // The new descriptor gets this number: it is the lowest free one.
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
