import CSystem

/// Reports to systemd by datagrams (sd_notify(3)), if it started this program as `Type=notify`; otherwise does nothing.
public struct ServiceManager: Sendable {
    private let address: String?
    /// How often systemd expects `alive()`, in milliseconds; nil without a watchdog.
    public let watchdogMilliseconds: Int32?

    /// Reads the environment that systemd sets.
    public init() {
        address = environmentVariable("NOTIFY_SOCKET")
        let isOurs = environmentVariable("WATCHDOG_PID").map { Int($0) == Int(getpid()) } ?? true
        if isOurs, address != nil, let period = environmentVariable("WATCHDOG_USEC").flatMap({ Int($0) }), period > 0 {
            // Four times as often as it must be.
            watchdogMilliseconds = Int32(clamping: max(period / 4000, 1))
        } else {
            watchdogMilliseconds = nil
        }
    }

    /// Reports that the service is ready: the first frame has been segmented.
    public func ready() { tell("READY=1") }
    /// Reports that the service is stopping.
    public func stopping() { tell("STOPPING=1") }
    /// Feeds the watchdog.
    public func alive() { tell("WATCHDOG=1") }
    /// Sets the text that `systemctl status` shows.
    public func status(_ text: String) { tell("STATUS=" + text) }

    private func tell(_ text: String) {
        guard let address else { return }
        let bytes = Array(text.utf8)
        system_tell(address, bytes, bytes.count)
    }
}
