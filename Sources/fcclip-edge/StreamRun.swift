import CSystem
import Capture
import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import System

/// Segments the frames of a live source. One thread captures, this one segments the freshest frame, and each sink that may be slow has its own.
final class StreamRun {
    private let options: Options
    private let name: String
    private let mailbox: FrameMailbox
    private let stop: Cancellation
    private let state = StreamState()
    private let inference: Inference
    private let converter: FrameConverter
    private let sinks = SinkSet()
    /// The GPIO line that asks for a frame; nil when all frames are segmented.
    private let trigger: Pin<LinuxPins>?
    private let manager = ServiceManager()
    private let damage = RepeatedFault()
    private var statistics = StreamStatistics()
    private var lastNumber = 0
    /// Frames in a row that could not be segmented.
    private var failures = 0
    /// After so many of them the run ends: the fault is not in single frames.
    private static let mostFailures = 30
    /// How long the end waits for each sink, in milliseconds.
    private static let patience = 3000.0

    /// - Parameter name: the source's name in records.
    init(_ options: Options, name: String) throws(Fault) {
        // First: threads inherit it.
        Signals.hold()
        var options = options
        options.completeOutputs(isSinglePicture: false)
        try options.checkPlaces(name)
        self.options = options
        self.name = name
        mailbox = FrameMailbox(keepsAll: options.everyFrame, isTriggered: options.trigger != nil)
        stop = try Cancellation()
        inference = try Inference(options)
        converter = FrameConverter(inference.preprocessor)
        trigger = if let line = options.trigger { try Pin(LinuxPins(), line, output: false, option: "trigger") } else { nil }
        try options.addPins(of: LinuxPins(), inference.legend, to: sinks)
    }

    /// Runs until the source ends or SIGTERM or SIGINT arrives; then the current frame is finished.
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
        try options.addSinks(to: sinks, from: .stream(keep: options.keep, everyFrame: options.everyFrame, failed: { end($0) }))
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
        follow(end)
        manager.stopping()
        // A trigger may still be waited for.
        stop.cancel()
        capture.join()
        for listener in listeners { listener.join() }
        let losses = sinks.finish(within: Self.patience)
        statistics.finish(counts: mailbox.counts, patched: converter.patchedCount, losses: losses, source: source.notes)
        // A source without a frame has a fault that is reported instead.
        if mailbox.counts.captured > 0 || state.fault == nil { Log.write("fcclip-edge: " + statistics.summary) }
        if options.report { for line in statistics.report(options, inference) { Log.write(line) } }
        if let fault = state.fault { throw fault }
        if statistics.damaged > 0, !state.hasSucceeded { throw Fault("\(name): none of \(statistics.damaged) frames could be segmented") }
        if losses.unwritten > 0 { throw Fault("\(losses.unwritten) of the stream's lines and pictures could not be written") }
    }

    /// Segments frame after frame, and drives the alarms' lines to their level for a lost source.
    private func follow(_ end: (Fault?) -> Void) {
        var isLost = false
        while true {
            // Ready means that frames can be segmented: with a trigger, too, the first frame is segmented at once.
            switch mailbox.next(unasked: !state.hasSucceeded) {
            case .end: return
            case .lost:
                sinks.sourceLost()
                isLost = true
                manager.status("the camera is lost; waiting for it")
            case .frame(let frame, let isAsked):
                state.begin()
                if isLost { manager.status("the camera is back") }
                isLost = false
                reload()
                do throws(Fault) {
                    try segment(frame, isTrial: !isAsked)
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

    /// Starts threads that wait for signals, for the trigger, and for the time to feed the watchdog. - Returns: those that end after `stop`.
    private func listen(_ end: @escaping @Sendable (Fault?) -> Void) throws(Fault) -> [Thread] {
        var threads: [Thread] = []
        let mailbox = mailbox
        let stop = stop
        let state = state
        // Never joined: it ends with the program.
        _ = try Thread {
            while true {
                switch Signals.next() {
                case .stop: end(nil)
                case .reload: state.askForReload()
                }
            }
        }
        if let trigger {
            threads.append(
                try Thread {
                    do throws(Fault) {
                        while try trigger.waitForEdge(stop) { mailbox.trigger() }
                    } catch {
                        end(error)
                    }
                })
        }
        if let watchdog = try Watchdog.start(manager, state, stop) { threads.append(watchdog) }
        return threads
    }

    /// Reads the vocabulary again if SIGHUP asked for it. If the file is invalid or does not match the model, logs why and keeps the old one.
    private func reload() {
        guard state.takeReload() else { return }
        do throws(Fault) {
            let fresh = try Vocabulary(path: options.vocabulary)
            try sinks.check(Legend(fresh))
            try inference.adopt(fresh, path: options.vocabulary)
            sinks.adopt(inference.legend)
            Log.write("fcclip-edge: \(options.vocabulary): read again, \(fresh.categories.count) classes")
        } catch {
            Log.write("fcclip-edge: \(error.message); the old vocabulary stays")
        }
    }

    /// Segments a frame and hands the result to the sinks.
    ///
    /// - Parameter isTrial: no sink gets the result.
    /// - Throws: when the frame is damaged or memory is lacking.
    private func segment(_ frame: FrameBuffer, isTrial: Bool) throws(Fault) {
        inference.begin()
        let size = try converter.size(of: frame)
        let canvas = isTrial ? nil : sinks.canvas(size)
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
            sinks.returnCanvas()
            throw error
        }
        guard !isTrial else { return }
        let age = frame.timing.age()
        let record = SegmentsRecord.Frame(
            number: frame.number, skipped: frame.number - lastNumber - 1, capturedAt: frame.timing.capturedAt, age: age)
        var result = SinkResult(
            segmentation, legend: inference.legend, picture: name, frame: record, totalMilliseconds: inference.totalMilliseconds, canvas: canvas)
        sinks.accept(&result, line: { inference.line(segmentation, picture: name, frame: record) }, failed: { Log.write("fcclip-edge: \($1.message)") })
        lastNumber = frame.number
        statistics.add(inference.stages, age: age, frame: frame.layout, size: size, input: inference.preprocessor.resizedSize)
    }
}
