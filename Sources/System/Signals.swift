import CSystem

/// Delivers signals to one thread as values.
///
/// Call `hold()` before other threads start: they inherit the signal mask.
public enum Signals {
    public enum Message {
        /// SIGTERM or SIGINT: finish. A second one ends the program immediately.
        case stop
        /// SIGHUP: reload files.
        case reload
    }

    /// Blocks SIGTERM, SIGINT and SIGHUP for `next()`; a broken pipe becomes a write error.
    public static func hold() {
        system_signals_hold()
    }

    /// Blocks until a message arrives.
    public static func next() -> Message {
        while true {
            switch system_signal_wait() {
            case SIGTERM, SIGINT:
                system_signals_release()
                return .stop
            case SIGHUP: return .reload
            default: break
            }
        }
    }
}
