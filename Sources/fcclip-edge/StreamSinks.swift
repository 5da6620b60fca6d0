import CSystem
import Capture
import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import System

/// What becomes of a stream's segments. Every sink has a thread of its own; one that is slow loses items and holds up nobody, unless every
/// frame is wanted.
final class StreamSinks: Sendable {
    /// What a sink did not put out.
    struct Losses {
        var lines = 0, pictures = 0
        /// Of both, what could not be written, other than by a network.
        var unwritten = 0

        var isEmpty: Bool { lines == 0 && pictures == 0 }
    }

    /// Lines that wait for one destination before the oldest is dropped.
    private static let waitingLines = 32
    /// Pictures on their way to the folders at one time.
    private static let pictureCount = 2
    /// How long the end waits for sinks, in milliseconds.
    private static let patience = 3000.0

    private let lines: [(sink: SinkThread<[UInt8]>, isNetwork: Bool)]
    private let pictures: PictureSink?

    /// - Parameter failed: told, on a sink's thread, of what ends the whole stream.
    init(_ options: Options, failed: @escaping (Fault) -> Void) throws(Fault) {
        var lines: [(sink: SinkThread<[UInt8]>, isNetwork: Bool)] = []
        for destination in options.json {
            let output = try LineOutput(destination)
            let talk = RepeatedFault()
            let sink = try SinkThread<[UInt8]>(capacity: Self.waitingLines, keepsAll: options.everyFrame, empty: []) { line in
                let lost = output.lostCount
                do throws(Fault) {
                    try output.write(line)
                    talk.ended()
                } catch {
                    if output.isVital { failed(error) } else { talk.occurred(error) }
                }
                return output.lostCount - lost
            }
            lines.append((sink, LineOutput.isDatagrams(destination)))
        }
        self.lines = lines
        pictures = options.overlay == nil && options.labels == nil ? nil : try PictureSink(options, count: Self.pictureCount)
    }

    var wantsLines: Bool { !lines.isEmpty }

    /// Memory for a whole frame as RGB8 that is to be looked at; nil when nobody wants one or all are in use.
    func canvas(_ size: Size) -> Picture? {
        pictures?.canvas(size)
    }

    /// Takes back what `canvas(_:)` gave, unused.
    func giveBack(_ canvas: Picture) {
        pictures?.giveBack(canvas)
    }

    func put(line: [UInt8]) {
        for (sink, _) in lines {
            sink.put { place in
                place.removeAll(keepingCapacity: true)
                // With room for a line that is a little longer.
                if place.capacity < line.count { place.reserveCapacity(line.count + line.count / 2) }
                place.append(contentsOf: line)
            }
        }
    }

    /// - Parameter canvas: what `canvas(_:)` gave for this frame.
    func put(_ segmentation: Segmentation, legend: Legend, canvas: Picture?, of frame: FrameBuffer) {
        pictures?.put(segmentation, legend: legend, canvas: canvas, of: frame)
    }

    /// Lets no sink hold up anybody any more. For any thread.
    func hurry() {
        for (sink, _) in lines { sink.hurry() }
        pictures?.hurry()
    }

    /// Lets every sink write what waits. - Returns: what was lost on the way.
    func finish() -> Losses {
        var losses = Losses()
        for (sink, isNetwork) in lines {
            sink.finish(milliseconds: Self.patience)
            let (dropped, failed) = sink.losses
            losses.lines += dropped + failed
            if !isNetwork { losses.unwritten += failed }
        }
        if let pictures {
            let (dropped, failed) = pictures.finish(milliseconds: Self.patience)
            losses.pictures = dropped + failed
            losses.unwritten += failed
        }
        return losses
    }
}

/// Says a fault when it first occurs, and again only after it had gone.
final class RepeatedFault {
    private var isSaid = false

    func occurred(_ fault: Fault) {
        if !isSaid { Log.write("fcclip-edge: \(fault.message)") }
        isSaid = true
    }

    func ended() { isSaid = false }
}
