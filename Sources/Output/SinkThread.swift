import Board

/// A sink on a thread of its own, behind a queue of fixed length: whoever feeds it never waits. Items are filled and written in places that
/// go round, so that what they hold in memory is used again.
public final class SinkThread<Item>: @unchecked Sendable {
    private let monitor = Monitor()
    private var queue: [Item]
    private var first = 0, count = 0
    private var isEnded = false, isDone = false
    private var droppedCount = 0
    private var thread: Thread?

    /// - Parameters:
    ///   - capacity: items that may wait. One more drops the oldest of them.
    ///   - empty: what a place holds at first.
    ///   - write: called on the sink's thread with one item after another. What it leaves there is what a later item is filled into.
    public init(capacity: Int, empty: Item, write: @escaping (inout Item) -> Void) throws(Fault) {
        queue = [Item](repeating: empty, count: capacity)
        nonisolated(unsafe) let write = write, empty = empty
        // The thread keeps the sink alive until `finish` lets it end.
        thread = try Thread { [self] in
            var item = empty
            while take(&item) { write(&item) }
            monitor.locked {
                isDone = true
                monitor.wakeAll()
            }
        }
    }

    /// - Parameter fill: changes the item of some earlier time into the new one, and is quick about it.
    public func put(_ fill: (inout Item) -> Void) {
        monitor.locked {
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

    /// Items that the sink was too slow for.
    public var dropped: Int { monitor.locked { droppedCount } }

    /// Lets the sink write what waits, at most `milliseconds` long. - Returns: whether it got done; if not, it is left behind.
    @discardableResult
    public func finish(milliseconds: Double) -> Bool {
        let deadline = monotonicMilliseconds() + milliseconds
        let gotDone = monitor.locked {
            isEnded = true
            monitor.wakeAll()
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
            return true
        }
    }
}
