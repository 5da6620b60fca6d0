import System

/// What the threads of a stream tell each other: why it ended, whether the vocabulary is to be read again, and how the work goes on.
final class StreamState: @unchecked Sendable {
    private let monitor = Monitor()
    private var first: Fault?
    private var wantsReload = false
    private var isBusy = false
    private var begun = 0, seen = -1
    private var succeeded = false, isInAHurry = false
    private var sinks: StreamSinks?

    func note(_ fault: Fault) {
        monitor.locked { if first == nil { first = fault } }
    }

    var fault: Fault? { monitor.locked { first } }

    /// Tells whose sinks `hurry` is about.
    func adopt(_ sinks: StreamSinks) {
        let isLate = monitor.locked {
            self.sinks = sinks
            return isInAHurry
        }
        if isLate { sinks.hurry() }
    }

    /// Lets no sink hold up the end.
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

    /// Whether frames have been segmented and the work on none has gone on since the last call: idle, or at another one by now.
    var isHealthy: Bool {
        monitor.locked {
            defer { seen = begun }
            return succeeded && (!isBusy || begun != seen)
        }
    }
}
