import Board

/// A sink on a thread of its own, behind a queue of fixed length: whoever feeds it never waits.
public final class SinkThread<Item>: @unchecked Sendable {
    private let monitor = Monitor()
    private var queue: [Item?]
    private var first = 0, count = 0
    private var isEnded = false, isDone = false
    private var droppedCount = 0
    private var thread: Thread?

    /// - Parameters:
    ///   - capacity: items that may wait. One more drops the oldest of them.
    ///   - write: called on the sink's thread with one item after another.
    public init(capacity: Int, write: @escaping (Item) -> Void) throws(Fault) {
        queue = [Item?](repeating: nil, count: capacity)
        nonisolated(unsafe) let write = write
        // The thread keeps the sink alive until `finish` lets it end.
        thread = try Thread { [self] in
            while let item = take() { write(item) }
            monitor.locked {
                isDone = true
                monitor.wakeAll()
            }
        }
    }

    public func put(_ item: Item) {
        monitor.locked {
            if count == queue.count {
                queue[first] = nil
                first = (first + 1) % queue.count
                count -= 1
                droppedCount += 1
            }
            queue[(first + count) % queue.count] = item
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

    private func take() -> Item? {
        monitor.locked {
            while count == 0, !isEnded { monitor.wait() }
            guard count > 0 else { return nil }
            let item = queue[first]
            queue[first] = nil
            first = (first + 1) % queue.count
            count -= 1
            return item
        }
    }
}
