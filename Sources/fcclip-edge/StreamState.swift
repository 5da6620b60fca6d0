import Sinks
import System

/// State that the threads of a stream share: why it ended, whether to read the vocabulary again, and whether frames are being segmented.
final class StreamState: @unchecked Sendable {
    private let monitor = Monitor()
    private var first: Fault?
    private var wantsReload = false
    private var isBusy = false
    private var begun = 0, seen = -1
    private var succeeded = false, isInAHurry = false
    private var sinks: SinkSet?

    func note(_ fault: Fault) {
        monitor.locked { if first == nil { first = fault } }
    }

    var fault: Fault? { monitor.locked { first } }

    /// The sinks that `hurry` is passed on to.
    func adopt(_ sinks: SinkSet) {
        let isLate = monitor.locked {
            self.sinks = sinks
            return isInAHurry
        }
        if isLate { sinks.hurry() }
    }

    /// No sink delays the end any more.
    func hurry() {
        let sinks = monitor.locked {
            isInAHurry = true
            return self.sinks
        }
        sinks?.hurry()
    }

    func askForReload() {
        monitor.locked { wantsReload = true }
    }

    func takeReload() -> Bool {
        monitor.locked {
            defer { wantsReload = false }
            return wantsReload
        }
    }

    func begin() {
        monitor.locked {
            isBusy = true
            begun += 1
        }
    }

    func end() {
        monitor.locked { isBusy = false }
    }

    /// A frame has been segmented. - Returns: whether it is the first.
    func succeed() -> Bool {
        monitor.locked {
            defer { succeeded = true }
            return !succeeded
        }
    }

    var hasSucceeded: Bool { monitor.locked { succeeded } }

    /// Whether frames have been segmented, and none of them takes longer than the time between two calls.
    var isHealthy: Bool {
        monitor.locked {
            defer { seen = begun }
            return succeeded && (!isBusy || begun != seen)
        }
    }
}
