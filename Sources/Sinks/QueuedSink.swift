import Imaging
import Kernels
import System

/// A sink on a thread of its own, as streams use it: what it is too slow for is dropped, unless it is to keep all.
final class QueuedSink: Sink {
    private let sink: Sink
    private let thread: SinkThread<SinkResult>
    /// Pictures that the sink draws on; nil when it draws on none.
    private let canvases: CanvasPool?
    /// Taken from there for the next result.
    private var reserved: Picture?

    /// - Parameters:
    ///   - capacity: results that may wait.
    ///   - keepsAll: whether the source waits while `capacity` results do; else the oldest of them is dropped.
    ///   - failed: called on the sink's thread with the fault of a vital sink. Faults of others are logged.
    init(_ sink: Sink, capacity: Int, keepsAll: Bool, failed: @escaping (Fault) -> Void) throws(Fault) {
        let canvases = sink.needs.contains(.canvas) ? CanvasPool(count: capacity, keepsAll: keepsAll) : nil
        let repeated = RepeatedFault()
        self.sink = sink
        self.canvases = canvases
        thread = try SinkThread(capacity: capacity, keepsAll: keepsAll, empty: SinkResult()) { result in
            let before = sink.failedCount
            do throws(Fault) {
                try sink.accept(result)
                repeated.ended()
            } catch {
                if sink.isVital { failed(error) } else { repeated.occurred(error) }
            }
            if let canvas = result.canvas { canvases?.giveBack(canvas) }
            result.canvas = nil
            return sink.failedCount - before
        }
        super.init(sink.name, needs: sink.needs, form: sink.form, isVital: sink.isVital, isNetwork: sink.isNetwork)
    }

    override func canvas(_ size: Size) -> Picture? {
        reserved = canvases?.take(size)
        return reserved
    }

    override func returnCanvas() {
        if let reserved { canvases?.giveBack(reserved) }
        reserved = nil
    }

    override func write(_ result: SinkResult) {
        let canvas = reserved
        reserved = nil
        guard canvases == nil || canvas != nil else {
            canvases?.refused()
            return
        }
        if let canvas, let filled = result.canvas, canvas !== filled {
            canvas.withPixels { target in filled.withPixels { target.update(from: $0, count: canvas.byteCount) } }
        }
        thread.put { place in
            // That of a result which was dropped is free again.
            if let unused = place.canvas { canvases?.giveBack(unused) }
            place.copy(result, needs)
            place.canvas = canvas
        }
    }

    override func hurry() {
        canvases?.hurry()
        thread.hurry()
    }

    /// A sink that keeps all takes as long as it needs, or until `hurry`.
    override func finish(within milliseconds: Double) throws(Fault) {
        if thread.finish(milliseconds: milliseconds) { try sink.finish(within: milliseconds) }
    }

    override var losses: (dropped: Int, failed: Int) {
        let losses = thread.losses
        return (losses.dropped + (canvases?.refusedCount ?? 0), losses.failed)
    }
}
