import CSystem
import Capture
import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import System

/// A live source through the engine to the sinks: one thread captures, this one segments the freshest frame, each sink has its own.
final class StreamRun {
    private let options: Options
    private let name: String
    private let mailbox: FrameMailbox
    private let stop: Cancellation
    private let state = StreamState()
    private let inference: Inference
    private let converter: FrameConverter
    private let pins: StreamPins<LinuxPins>
    private let manager = ServiceManager()
    private let damage = RepeatedFault()
    private var statistics = StreamStatistics()
    private var lastNumber = 0
    /// Frames in a row that could not be segmented.
    private var failures = 0
    /// So many of them are no accident: somebody else has to put it right, or start the program again.
    private static let mostFailures = 30

    /// - Parameter name: what records call the source.
    init(_ options: Options, name: String) throws(Fault) {
        // First: threads inherit it.
        Signals.hold()
        try options.checkPlaces(name)
        self.options = options
        self.name = name
        mailbox = FrameMailbox(keepsAll: options.everyFrame, isTriggered: options.trigger != nil)
        stop = try Cancellation()
        inference = try Inference(options)
        converter = FrameConverter(inference.preprocessor)
        pins = try StreamPins(LinuxPins(), options, inference.legend)
    }

    /// Runs until the source ends or SIGTERM or SIGINT arrives; then the frame at hand is finished.
    ///
    /// - Throws: when the source, standard output or the trigger fails, memory is lacking, no frame can be segmented, or an output could not
    ///   be written.
    func run<Source: FrameSource>(_ makeSource: (Cancellation) throws(Fault) -> Source) throws(Fault) {
        let mailbox = mailbox
        let stop = stop
        let state = state
        @Sendable func end(_ fault: Fault?) {
            if let fault { state.note(fault) }
            stop.cancel()
            mailbox.end(dropping: true)
            state.hurry()
        }
        let source = try makeSource(stop)
        try source.open()
        let sinks = try StreamSinks(options) { end($0) }
        state.adopt(sinks)
        let listeners = try listen(end)
        let capture = try Thread {
            do throws(Fault) {
                try source.capture(into: mailbox)
            } catch {
                state.note(error)
            }
            mailbox.end()
        }
        follow(sinks, end)
        manager.stopping()
        // A trigger may still be waited for.
        stop.cancel()
        capture.join()
        for listener in listeners { listener.join() }
        let losses = sinks.finish()
        pins.rest()
        statistics.finish(counts: mailbox.counts, patched: converter.patchedCount, losses: losses, source: source.notes)
        // A source that gave nothing says why.
        if mailbox.counts.captured > 0 || state.fault == nil { Log.write("fcclip-edge: " + statistics.summary) }
        if options.report { for line in statistics.report(options, inference) { Log.write(line) } }
        if let fault = state.fault { throw fault }
        if statistics.damaged > 0, !state.hasSucceeded { throw Fault("\(name): none of \(statistics.damaged) frames could be segmented") }
        if losses.unwritten > 0 { throw Fault("\(losses.unwritten) of the stream's lines and pictures could not be written") }
    }

    /// Segments frame after frame, and drives the alarms' lines to their level for a lost source.
    private func follow(_ sinks: StreamSinks, _ end: (Fault?) -> Void) {
        var isLost = false
        while true {
            // Before the first success nobody knows whether any frame can be segmented: with a trigger, too, one frame is tried at once.
            switch mailbox.next(unasked: !state.hasSucceeded) {
            case .end: return
            case .lost:
                pins.lose()
                isLost = true
                manager.status("the camera is lost; waiting for it")
            case .frame(let frame, let isAsked):
                state.begin()
                if isLost { manager.status("the camera is back") }
                isLost = false
                reload()
                do throws(Fault) {
                    try segment(frame, isAsked ? sinks : nil)
                    failures = 0
                    damage.ended()
                    if state.succeed() { manager.ready() }
                } catch {
                    failures += 1
                    statistics.damaged += 1
                    if error.kind == .memory {
                        end(error)
                    } else {
                        damage.occurred(error)
                    }
                    if failures == Self.mostFailures {
                        end(Fault("\(name): \(failures) frames in a row could not be segmented; the last: \(error.message)"))
                    }
                }
                state.end()
            }
        }
    }

    /// Starts threads that wait for signals, for the trigger, and for the time to tell systemd that all is well. - Returns: those that end when told
    /// to stop.
    private func listen(_ end: @escaping @Sendable (Fault?) -> Void) throws(Fault) -> [Thread] {
        var threads: [Thread] = []
        let mailbox = mailbox
        let stop = stop
        let state = state
        let manager = manager
        // Never joined: it ends with the program.
        _ = try Thread {
            while true {
                switch Signals.next() {
                case .stop: end(nil)
                case .reload: state.askForReload()
                }
            }
        }
        if let trigger = pins.trigger {
            threads.append(
                try Thread {
                    do throws(Fault) {
                        while try trigger.waitForEdge(stop) { mailbox.trigger() }
                    } catch {
                        end(error)
                    }
                })
        }
        if let period = manager.watchdogMilliseconds {
            threads.append(
                try Thread {
                    while stop.wait(for: -1, milliseconds: period) == .timedOut {
                        if state.isHealthy { manager.alive() }
                    }
                })
        }
        return threads
    }

    /// Reads the vocabulary again if SIGHUP asked for it. One that does not fit is said, and the old one stays.
    private func reload() {
        guard state.takeReload() else { return }
        do throws(Fault) {
            let fresh = try Vocabulary(path: options.vocabulary)
            let categories = try pins.categories(Legend(fresh))
            try inference.adopt(fresh, path: options.vocabulary)
            pins.categories = categories
            Log.write("fcclip-edge: \(options.vocabulary): read again, \(fresh.categories.count) classes")
        } catch {
            Log.write("fcclip-edge: \(error.message); the old vocabulary stays")
        }
    }

    /// - Parameter sinks: nil for a trial, whose result nobody gets.
    /// - Throws: when the frame is damaged or memory is lacking.
    private func segment(_ frame: FrameBuffer, _ sinks: StreamSinks?) throws(Fault) {
        inference.begin()
        let size = try converter.size(of: frame)
        let canvas = sinks?.canvas(size)
        let segmentation: Segmentation
        do throws(Fault) {
            if let canvas {
                try canvas.withPixels { (pixels) throws(Fault) in try converter.convert(frame, size: size, full: pixels) }
            } else {
                try converter.convert(frame, size: size)
            }
            inference.clock("convert")
            segmentation = try inference.segment(size)
        } catch {
            if let canvas { sinks?.giveBack(canvas) }
            throw error
        }
        guard let sinks else { return }
        pins.show(segmentation)
        let age = monotonicMilliseconds() - frame.captured
        if sinks.wantsLines {
            let record = SegmentsRecord.Frame(number: frame.number, skipped: frame.number - lastNumber - 1, capturedAt: frame.capturedAt, age: age)
            sinks.put(line: inference.line(segmentation, picture: name, frame: record))
        }
        sinks.put(segmentation, legend: inference.legend, canvas: canvas, of: frame)
        lastNumber = frame.number
        statistics.add(inference.stages, age: age, frame: frame.layout, size: size, input: inference.preprocessor.resizedSize)
    }
}
