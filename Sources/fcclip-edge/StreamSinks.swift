import Board
import Camera
import Kernels
import Network
import Output

/// What becomes of a stream's segments. Every sink has a thread of its own; one that is slow loses items, and holds up nobody.
final class StreamSinks {
    /// Lines that wait for one destination before the oldest is dropped.
    private static let waitingLines = 32
    /// Pictures on their way to the folders at one time.
    private static let pictureCount = 2
    /// How long the end waits for sinks, in milliseconds.
    private static let patience = 3000.0

    private var lines: [SinkThread<[UInt8]>] = []
    private var pictures: PictureSink?

    /// - Parameter failed: told, on a sink's thread, of what ends the whole stream.
    init(_ options: Options, failed: @escaping (Fault) -> Void) throws(Fault) {
        for destination in options.json {
            let output = try LineOutput(destination), talk = RepeatedFault()
            lines.append(try SinkThread(capacity: Self.waitingLines, empty: []) { line in
                do throws(Fault) {
                    try output.write(line)
                    talk.ended()
                } catch {
                    if output.isVital { failed(error) } else { talk.occurred(error) }
                }
            })
        }
        if options.overlay != nil || options.labels != nil { pictures = try PictureSink(options, count: Self.pictureCount) }
    }

    var wantsLines: Bool { !lines.isEmpty }

    /// Memory for a whole frame as RGB8 that is to be looked at; nil when nobody wants one or all are in use.
    func canvas(_ size: Size) -> Picture? {
        pictures?.canvas(size)
    }

    func put(line: [UInt8]) {
        for sink in lines {
            sink.put { place in
                place.removeAll(keepingCapacity: true)
                // With room for a line that is a little longer.
                if place.capacity < line.count { place.reserveCapacity(line.count + line.count / 2) }
                place.append(contentsOf: line)
            }
        }
    }

    /// - Parameter canvas: what `canvas(_:)` gave for this frame.
    func put(_ segmentation: Segmentation, legend: Legend, canvas: Picture?, capturedAt: Double) {
        pictures?.put(segmentation, legend: legend, canvas: canvas, capturedAt: capturedAt)
    }

    /// Lets every sink write what waits. - Returns: lines and pictures that were lost on the way.
    func finish() -> (lines: Int, pictures: Int) {
        var lost = (lines: 0, pictures: 0)
        for sink in lines {
            sink.finish(milliseconds: Self.patience)
            lost.lines += sink.dropped
        }
        if let pictures { lost.pictures = pictures.finish(milliseconds: Self.patience) }
        return lost
    }
}

/// Says a fault when it first occurs, and again only after it had gone.
final class RepeatedFault {
    private var isSaid = false

    func occurred(_ fault: Fault) {
        if !isSaid { say("fcclip-edge: \(fault.message)") }
        isSaid = true
    }

    func ended() { isSaid = false }
}

/// Overlays and label maps of a stream, as PNG files in folders, named by the time of capture.
private final class PictureSink {
    private struct Item {
        var segmentation = Segmentation(task: .panoptic, size: Size(height: 0, width: 0))
        var legend = Legend([])
        var canvas: Picture?
        var capturedAt = 0.0
    }

    private let thread: SinkThread<Item>
    private let pool: CanvasPool?
    private var refusedCount = 0

    init(_ options: Options, count: Int) throws(Fault) {
        let overlays = try PictureSink.series(options.overlay, options.keep), labels = try PictureSink.series(options.labels, options.keep)
        let talk = RepeatedFault()
        let pool = overlays == nil ? nil : CanvasPool(count: count)
        self.pool = pool
        thread = try SinkThread(capacity: count, empty: Item()) { item in
            do throws(Fault) {
                if let labels {
                    try LabelMap.write(item.segmentation, to: labels.path(capturedAt: item.capturedAt))
                    labels.written(capturedAt: item.capturedAt)
                }
                if let overlays, let canvas = item.canvas {
                    // Its pixels are written to through a pointer that does not keep it.
                    defer { withExtendedLifetime(canvas) {} }
                    try Overlay.write(item.segmentation, legend: item.legend, on: canvas.pixels, to: overlays.path(capturedAt: item.capturedAt))
                    overlays.written(capturedAt: item.capturedAt)
                }
                talk.ended()
            } catch {
                talk.occurred(error)
            }
            if let canvas = item.canvas { pool?.giveBack(canvas) }
            item.canvas = nil
        }
    }

    private static func series(_ folder: String?, _ keep: Int?) throws(Fault) -> PictureSeries? {
        guard let folder else { return nil }
        return try PictureSeries(folder: folder, keep: keep)
    }

    func canvas(_ size: Size) -> Picture? {
        pool?.take(size)
    }

    func put(_ segmentation: Segmentation, legend: Legend, canvas: Picture?, capturedAt: Double) {
        guard pool == nil || canvas != nil else {
            refusedCount += 1
            return
        }
        thread.put { item in
            item.segmentation.copy(segmentation)
            item.legend = legend
            item.canvas = canvas
            item.capturedAt = capturedAt
        }
    }

    func finish(milliseconds: Double) -> Int {
        thread.finish(milliseconds: milliseconds)
        return thread.dropped + refusedCount
    }
}

/// A fixed number of RGB8 pictures that go round between the thread that segments and the one that draws.
private final class CanvasPool: @unchecked Sendable {
    private let monitor = Monitor()
    private var free: [Picture?]

    init(count: Int) {
        free = [Picture?](repeating: Picture(size: Size(height: 0, width: 0)), count: count)
    }

    /// A picture of `size`, not cleared; nil when all are in use. New memory only when the size changes.
    func take(_ size: Size) -> Picture? {
        monitor.locked {
            guard let index = free.firstIndex(where: { $0 != nil }), let picture = free[index] else { return nil }
            free[index] = nil
            return picture.size == size ? picture : Picture(size: size)
        }
    }

    func giveBack(_ picture: Picture) {
        monitor.locked {
            if let index = free.firstIndex(where: { $0 == nil }) { free[index] = picture }
        }
    }
}
