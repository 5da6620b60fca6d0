import CSystem

/// systemd, when it started this program as `Type=notify`: it is told in datagrams how things stand (sd_notify(3)). Else, nothing.
public struct ServiceManager: Sendable {
    private let address: String?
    /// How often it wants to hear that all is well, in milliseconds; nil for never.
    public let watchdogMilliseconds: Int32?

    /// From the environment.
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

    /// Work has begun and led to a result.
    public func ready() { tell("READY=1") }
    /// Work ends.
    public func stopping() { tell("STOPPING=1") }
    /// All is well.
    public func alive() { tell("WATCHDOG=1") }
    /// What `systemctl status` shows.
    public func status(_ text: String) { tell("STATUS=" + text) }

    private func tell(_ text: String) {
        guard let address else { return }
        let bytes = Array(text.utf8)
        system_tell(address, bytes, bytes.count)
    }
}
