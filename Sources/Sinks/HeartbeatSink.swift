import System

/// A GPIO line that changes with every result. It goes low and is given back at the end.
public final class HeartbeatSink<System: PinSystem>: Sink {
    private let pin: Pin<System>
    private let repeated = RepeatedFault()

    /// - Throws: when the board lacks the line.
    public init(_ system: System, _ line: PinName) throws(Fault) {
        pin = try Pin(system, line, output: true, option: "heartbeat")
        super.init("--heartbeat", needs: [], form: .level)
    }

    override func write(_ result: SinkResult) {
        drive { (pin) throws(Fault) in try pin.toggle() }
    }

    override func finish(within milliseconds: Double) {
        drive { (pin) throws(Fault) in try pin.set(false) }
    }

    private func drive(_ change: (Pin<System>) throws(Fault) -> Void) {
        do throws(Fault) {
            try change(pin)
            repeated.ended()
        } catch {
            repeated.occurred(error)
        }
    }
}
