import System

/// When a frame was captured, and how old it is.
public struct FrameTiming: Sendable {
    /// By `monotonicMilliseconds()`.
    public let captured: Double
    /// In milliseconds since 1970 (UTC).
    public let capturedAt: Double

    init() {
        (captured, capturedAt) = (0, 0)
    }

    /// - Parameter captured: by `monotonicMilliseconds()`; nil, or a time to come, for now.
    init(captured time: Double?) {
        let now = monotonicMilliseconds()
        captured = min(time ?? now, now)
        capturedAt = unixMilliseconds() - (now - captured)
    }

    /// Milliseconds since the capture: what a record's `age` is, taken when the frame's segments are known.
    public func age() -> Double {
        monotonicMilliseconds() - captured
    }
}
