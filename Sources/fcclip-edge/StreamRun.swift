import Board
import Camera
import CBoard
import Kernels
import Network
import Output

/// A live source through the engine to the sinks: one thread captures, this one segments the freshest frame, each sink has its own.
final class StreamRun {
    private let options: Options
    private let name: String
    private let mailbox: FrameMailbox
    private let stop: StopSign
    private let ending = Ending()
    private let inference: Inference
    private let converter: FrameConverter
    private let damage = RepeatedFault()
    private var segmentedCount = 0, damagedCount = 0, lastNumber = 0

    /// - Parameter name: what records call the source.
    init(_ options: Options, name: String) throws(Fault) {
        // First: threads inherit it.
        Signals.hold()
        try options.checkPlaces()
        self.options = options
        self.name = name
        mailbox = FrameMailbox(keepsAll: options.everyFrame)
        stop = try StopSign()
        inference = try Inference(options)
        converter = FrameConverter(inference.preprocessor)
    }

    /// Runs until the source ends or SIGTERM or SIGINT arrives; then the frame at hand is finished.
    ///
    /// - Throws: when the source or standard output fails.
    func run<Source: FrameSource>(_ makeSource: (StopSign) throws(Fault) -> Source) throws(Fault) {
        let mailbox = mailbox, stop = stop, ending = ending
        @Sendable func end(_ fault: Fault?) {
            if let fault { ending.note(fault) }
            stop.raise()
            mailbox.end(dropping: true)
        }
        let source = try makeSource(stop)
        let sinks = try StreamSinks(options) { end($0) }
        // Never joined: it ends with the program.
        _ = try Thread {
            while true {
                if case .stop = Signals.next() { end(nil) }
            }
        }
        let capture = try Thread {
            do throws(Fault) {
                try source.capture(into: mailbox)
            } catch {
                ending.note(error)
            }
            mailbox.end()
        }
        while let frame = mailbox.take() { segment(frame, sinks) }
        capture.join()
        let lost = sinks.finish()
        summarize(lost)
        if let fault = ending.fault { throw fault }
    }

    private func segment(_ frame: FrameBuffer, _ sinks: StreamSinks) {
        inference.begin()
        let size: Size, canvas: Picture?
        do throws(Fault) {
            size = try converter.size(of: frame)
            canvas = sinks.canvas(size)
            // Its pixels are written to through a pointer that does not keep it.
            defer { withExtendedLifetime(canvas) {} }
            try converter.convert(frame, size: size, full: canvas?.pixels)
        } catch {
            damagedCount += 1
            damage.occurred(error)
            return
        }
        damage.ended()
        inference.clock("convert")
        let segmentation = inference.segment(size)
        if sinks.wantsLines {
            let record = SegmentsRecord.Frame(
                number: frame.number, skipped: frame.number - lastNumber - 1, capturedAt: frame.capturedAt, age: monotonicMilliseconds() - frame.captured)
            sinks.put(line: inference.line(segmentation, picture: name, frame: record))
        }
        sinks.put(segmentation, legend: inference.legend, canvas: canvas, capturedAt: frame.capturedAt)
        lastNumber = frame.number
        segmentedCount += 1
    }

    private func summarize(_ lost: (lines: Int, pictures: Int)) {
        let counts = mailbox.counts
        var text = "fcclip-edge: \(segmentedCount) of \(counts.captured) frames segmented, \(counts.stale) skipped for fresher ones"
        if damagedCount > 0 { text += ", \(damagedCount) damaged" }
        if converter.patchedCount > 0 { text += ", \(converter.patchedCount) used in spite of damage" }
        if lost.lines > 0 { text += ", \(lost.lines) lines dropped" }
        if lost.pictures > 0 { text += ", \(lost.pictures) pictures dropped" }
        say(text)
    }
}

/// Why a stream ended, if not because its frames did.
private final class Ending: @unchecked Sendable {
    private let monitor = Monitor()
    private var first: Fault?

    func note(_ fault: Fault) {
        monitor.locked { if first == nil { first = fault } }
    }

    var fault: Fault? { monitor.locked { first } }
}
