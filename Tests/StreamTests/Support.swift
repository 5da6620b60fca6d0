import Capture
import Foundation
import System
import TestSupport

/// Bytes that look random and are the same in every run.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = SplitMix(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 32) }
}

/// A buffer that holds `bytes`.
func frame(_ bytes: [UInt8], _ layout: FrameLayout) -> FrameBuffer {
    let frame = FrameBuffer()
    frame.reserve(bytes.count)
    frame.bytes.update(from: bytes, count: bytes.count)
    frame.count = bytes.count
    frame.layout = layout
    return frame
}

extension FrameBuffer {
    var content: [UInt8] { Array(UnsafeBufferPointer(start: bytes, count: count)) }
}

/// The two ends of a pipe.
struct TestPipe {
    let reading, writing: Int32

    init() {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0)
        (reading, writing) = (ends[0], ends[1])
    }
}

/// Records events of several threads, in order.
final class Log<Entry>: @unchecked Sendable {
    private let monitor = Monitor()
    private var list: [Entry] = []

    func add(_ entry: Entry) { monitor.locked { list.append(entry) } }
    /// A copy: the storage of the list stays within the lock.
    var entries: [Entry] { monitor.locked { list.map { $0 } } }
}

/// Waits until `condition` holds, at most ten seconds. - Returns: whether it held in time.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = monotonicMilliseconds() + 10_000
    while monotonicMilliseconds() < deadline {
        if condition() { return true }
        usleep(2000)
    }
    return condition()
}
