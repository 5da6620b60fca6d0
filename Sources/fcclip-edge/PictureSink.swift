import CSystem
import Capture
import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import System

/// Overlays and label maps of a stream, as PNG files in folders, named by the time of capture and the frame's number.
final class PictureSink: Sendable {
    private struct Item {
        var segmentation = Segmentation(task: .panoptic, size: Size(height: 0, width: 0))
        var legend = Legend([])
        var canvas: Picture?
        var capturedAt = 0.0
        var number = 0
    }

    private let thread: SinkThread<Item>
    private let pool: CanvasPool?

    init(_ options: Options, count: Int) throws(Fault) {
        let overlays = try PictureSink.series(options.overlay, options.keep)
        let labels = try PictureSink.series(options.labels, options.keep)
        let talk = RepeatedFault()
        let pool = overlays == nil ? nil : CanvasPool(count: count, keepsAll: options.everyFrame)
        self.pool = pool
        thread = try SinkThread(capacity: count, keepsAll: options.everyFrame, empty: Item()) { item in
            var lost = 0
            do throws(Fault) {
                if let labels {
                    try LabelMap.write(item.segmentation, to: labels.path(capturedAt: item.capturedAt, number: item.number))
                    labels.written(capturedAt: item.capturedAt, number: item.number)
                }
                if let overlays, let canvas = item.canvas {
                    let path = overlays.path(capturedAt: item.capturedAt, number: item.number)
                    try canvas.withPixels { (pixels) throws(Fault) in try Overlay.write(item.segmentation, legend: item.legend, on: pixels, to: path) }
                    overlays.written(capturedAt: item.capturedAt, number: item.number)
                }
                talk.ended()
            } catch {
                talk.occurred(error)
                lost = 1
            }
            if let canvas = item.canvas { pool?.giveBack(canvas) }
            item.canvas = nil
            return lost
        }
    }

    private static func series(_ folder: String?, _ keep: Int?) throws(Fault) -> PictureSeries? {
        guard let folder else { return nil }
        return try PictureSeries(folder: folder, keep: keep)
    }

    func canvas(_ size: Size) -> Picture? {
        pool?.take(size)
    }

    func giveBack(_ canvas: Picture) {
        pool?.giveBack(canvas)
    }

    func put(_ segmentation: Segmentation, legend: Legend, canvas: Picture?, of frame: FrameBuffer) {
        guard pool == nil || canvas != nil else {
            pool?.refused()
            return
        }
        thread.put { item in
            item.segmentation.copy(segmentation)
            item.legend = legend
            // That of an item which was dropped is free again.
            if let unused = item.canvas { pool?.giveBack(unused) }
            item.canvas = canvas
            item.capturedAt = frame.capturedAt
            item.number = frame.number
        }
    }

    /// Lets nobody wait any more. For any thread.
    func hurry() {
        pool?.hurry()
        thread.hurry()
    }

    func finish(milliseconds: Double) -> (dropped: Int, failed: Int) {
        thread.finish(milliseconds: milliseconds)
        let losses = thread.losses
        return (losses.dropped + (pool?.refusedCount ?? 0), losses.failed)
    }
}

/// A fixed number of RGB8 pictures that go round between the thread that segments and the one that draws.
private final class CanvasPool: @unchecked Sendable {
    private let monitor = Monitor()
    private var free: [Picture?]
    private var keepsAll: Bool
    private var refusals = 0

    /// - Parameter keepsAll: lets whoever wants a picture wait until one is free.
    init(count: Int, keepsAll: Bool) {
        self.keepsAll = keepsAll
        free = [Picture?](repeating: Picture(size: Size(height: 0, width: 0)), count: count)
    }

    /// A picture of `size`, not cleared; nil when all are in use. New memory only when the size changes.
    func take(_ size: Size) -> Picture? {
        monitor.locked {
            while keepsAll, !free.contains(where: { $0 != nil }) { monitor.wait() }
            guard let index = free.firstIndex(where: { $0 != nil }), let picture = free[index] else { return nil }
            free[index] = nil
            return picture.size == size ? picture : Picture(size: size)
        }
    }

    func giveBack(_ picture: Picture) {
        monitor.locked {
            if let index = free.firstIndex(where: { $0 == nil }) { free[index] = picture }
            monitor.wakeAll()
        }
    }

    /// Counts a frame that no picture was free for.
    func refused() {
        monitor.locked { refusals += 1 }
    }

    var refusedCount: Int { monitor.locked { refusals } }

    /// Lets nobody wait any more.
    func hurry() {
        monitor.locked {
            keepsAll = false
            monitor.wakeAll()
        }
    }
}
