import CSystem

/// Why a wait ended.
public enum Readiness {
    case ready, stopped, timedOut
}

/// Cancels waits of other threads. An event descriptor of the kernel that stays readable once cancelled.
public final class Cancellation: @unchecked Sendable {
    private let descriptor: Int32

    /// - Throws: when the system has no descriptor left.
    public init() throws(Fault) {
        descriptor = system_event()
        guard descriptor >= 0 else { throw Fault("no event descriptor: \(systemError())") }
    }

    public func cancel() {
        system_event_raise(descriptor)
    }

    public var isCancelled: Bool {
        system_wait(-1, descriptor, 0) < 0
    }

    /// Blocks until `other` can be read (or is at its end, or in error), the wait is cancelled, or `milliseconds` have passed (negative: no limit).
    ///
    /// - Parameter other: a descriptor, or -1 to wait only for the cancellation and the time.
    public func wait(for other: Int32, milliseconds: Int32 = -1) -> Readiness {
        switch system_wait(other, descriptor, milliseconds) {
        case 0: .timedOut
        case 1: .ready
        default: .stopped
        }
    }

    deinit { close(descriptor) }
}

/// Writes all bytes; waits while a non-blocking descriptor is full.
///
/// - Parameter done: the number of bytes written, also after a failure.
/// - Returns: false when it fails; `systemError()` has the reason.
public func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, done: inout Int) -> Bool {
    done = 0
    while done < bytes.count {
        let count = write(descriptor, bytes.baseAddress! + done, bytes.count - done)
        if count >= 0 {
            done += count
            continue
        }
        switch system_errno() {
        case EINTR: break
        case EAGAIN: system_wait_writable(descriptor)
        default: return false
        }
    }
    return true
}

public func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var done = 0
    return writeAll(bytes, to: descriptor, done: &done)
}
