import CSystem
import System

/// A sink on a thread of its own, behind a queue of fixed length: whoever feeds it never waits, unless the sink is to lose nothing. Items are
/// filled and written in places that go round, so that what they hold in memory is used again.
public final class SinkThread<Item>: @unchecked Sendable {
    private let monitor = Monitor()
    private var queue: [Item]
    private var first = 0, count = 0
    private var isEnded = false, isDone = false
    private var keepsAll: Bool
    private var droppedCount = 0, failedCount = 0
    private var thread: Thread?

    /// - Parameters:
    ///   - capacity: items that may wait. One more drops the oldest of them, or waits itself.
    ///   - keepsAll: lets whoever feeds the sink wait instead of dropping items.
    ///   - empty: what a place holds at first.
    ///   - write: called on the sink's thread with one item after another; returns how many were lost by it. What it leaves there is what a
    ///     later item is filled into.
    public init(capacity: Int, keepsAll: Bool = false, empty: Item, write: @escaping (inout Item) -> Int) throws(Fault) {
        self.keepsAll = keepsAll
        queue = [Item](repeating: empty, count: capacity)
        nonisolated(unsafe) let write = write
        nonisolated(unsafe) let empty = empty
        // The thread keeps the sink alive until `finish` lets it end.
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

    /// - Parameter fill: changes the item of some earlier time into the new one, and is quick about it.
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

    /// Lets nobody wait any more: from now on a full queue drops its oldest item. For any thread.
    public func hurry() {
        monitor.locked {
            keepsAll = false
            monitor.wakeAll()
        }
    }

    /// Items that the sink was too slow for, and those that it could not write.
    public var losses: (dropped: Int, failed: Int) { monitor.locked { (droppedCount, failedCount) } }

    /// Lets the sink write what waits, at most `milliseconds` long; one that keeps all, as long as it takes, or until somebody is in a `hurry`.
    /// - Returns: whether it got done; if not, it is left behind.
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
