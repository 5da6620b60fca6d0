import CSystem

/// Signals as messages to one thread, instead of interruptions of any.
///
/// `hold()` comes before other threads start: they inherit it.
public enum Signals {
    public enum Message {
        /// SIGTERM or SIGINT: end, soon. The next one ends the program at once.
        case stop
        /// SIGHUP: read what may have changed.
        case reload
    }

    /// Keeps SIGTERM, SIGINT and SIGHUP for `next()`; a broken pipe becomes an error of `write`.
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
