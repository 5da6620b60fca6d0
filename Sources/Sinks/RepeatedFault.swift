import System

/// Logs a fault when it first occurs, and again only after it had ended.
public final class RepeatedFault {
    private var isLogged = false

    public init() {}

    public func occurred(_ fault: Fault) {
        if !isLogged { Log.write("fcclip-edge: \(fault.message)") }
        isLogged = true
    }

    public func ended() { isLogged = false }
}
