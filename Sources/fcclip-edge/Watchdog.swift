import System

/// Feeds systemd's watchdog while the stream is healthy (`StreamState.isHealthy`); without feeding, systemd starts the program again.
enum Watchdog {
    /// Starts a thread that feeds it at the interval of `manager`, until `stop`. - Returns: nil when systemd has no watchdog for this program.
    static func start(_ manager: ServiceManager, _ state: StreamState, _ stop: Cancellation) throws(Fault) -> Thread? {
        guard let period = manager.watchdogMilliseconds else { return nil }
        return try Thread {
            while stop.wait(for: -1, milliseconds: period) == .timedOut {
                if state.isHealthy { manager.alive() }
            }
        }
    }
}
