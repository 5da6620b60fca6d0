import CSystem
import System

/// A queue of fixed length with a thread that writes its items. `put` never waits, unless the queue keeps all. The places of the queue are used in
/// turn, and so is the memory that their items hold.
public final class SinkThread<Item>: @unchecked Sendable {
    private let monitor = Monitor()
    private var queue: [Item]
    private var first = 0, count = 0
    private var isEnded = false, isDone = false
    private var keepsAll: Bool
    private var droppedCount = 0, failedCount = 0
    private var thread: Thread?

    /// - Parameters:
    ///   - capacity: items that may wait. When so many wait, `put` drops the oldest of them, or waits.
    ///   - keepsAll: whether `put` waits instead of dropping items.
    ///   - empty: what a place holds at first.
    ///   - write: called on the thread with one item after another; returns how many could not be written. A later item is filled into what it
    ///     leaves there.
    public init(capacity: Int, keepsAll: Bool = false, empty: Item, write: @escaping (inout Item) -> Int) throws(Fault) {
        self.keepsAll = keepsAll
        queue = [Item](repeating: empty, count: capacity)
        nonisolated(unsafe) let write = write
        nonisolated(unsafe) let empty = empty
        // The thread keeps this object alive until `finish` lets it end.
        thread = try Thread { [self] in
            var item = empty
            while take(&item) {
                let lost = write(&item)
                if lost > 0 { monitor.locked { failedCount += lost } }
            }
            monitor.locked {
                isDone = true
                monitor.wakeAll()
            }
        }
    }

    /// Adds an item. - Parameter fill: changes an earlier item into the new one. It runs inside the lock and must be short.
    public func put(_ fill: (inout Item) -> Void) {
        monitor.locked {
            while keepsAll, count == queue.count { monitor.wait() }
            if count == queue.count {
                first = (first + 1) % queue.count
                count -= 1
                droppedCount += 1
            }
            fill(&queue[(first + count) % queue.count])
            count += 1
            monitor.wakeAll()
        }
    }

    /// From now on a full queue drops its oldest item and `put` does not wait. For any thread.
    public func hurry() {
        monitor.locked {
            keepsAll = false
            monitor.wakeAll()
        }
    }

    /// Items that were dropped because `write` was too slow, and items that it could not write.
    public var losses: (dropped: Int, failed: Int) { monitor.locked { (droppedCount, failedCount) } }

    /// Waits until all items are written, at most `milliseconds` long; a queue that keeps all waits without a limit, until `hurry`.
    /// - Returns: whether all were written; if not, the thread is left running.
    @discardableResult
    public func finish(milliseconds: Double) -> Bool {
        let gotDone = monitor.locked {
            isEnded = true
            monitor.wakeAll()
            while !isDone, keepsAll { monitor.wait() }
            let deadline = monotonicMilliseconds() + milliseconds
            while !isDone, monotonicMilliseconds() < deadline { monitor.wait(until: deadline) }
            if !isDone { droppedCount += count }
            return isDone
        }
        if gotDone {
            thread?.join()
            thread = nil
        }
        return gotDone
    }

    /// Swaps the oldest item for `item`, which has been written. - Returns: false at the end.
    private func take(_ item: inout Item) -> Bool {
        monitor.locked {
            while count == 0, !isEnded { monitor.wait() }
            guard count > 0 else { return false }
            swap(&queue[first], &item)
            first = (first + 1) % queue.count
            count -= 1
            if keepsAll { monitor.wakeAll() }
            return true
        }
    }
}
