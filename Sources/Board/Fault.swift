/// Why something could not be done, in one line for the person at the terminal: what, where, and the remedy.
public struct Fault: Error {
    public let message: String

    public init(_ message: String) {
        self.message = message
    }
}
