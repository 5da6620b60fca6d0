import Board
import Camera
import CBoard
import GPIO
import Kernels
import Network
import Output
import Runtime
import Service

/// A live source through the engine to the sinks: one thread captures, this one segments the freshest frame, each sink has its own.
final class StreamRun {
    private let options: Options
    private let name: String
    private let mailbox: FrameMailbox
    private let stop: StopSign
    private let state = StreamState()
    private let inference: Inference
    private let converter: FrameConverter
    private let pins: StreamPins<LinuxPins>
    private let manager = ServiceManager()
    private let damage = RepeatedFault()
    private var statistics = StreamStatistics()
    private var lastNumber = 0

    /// - Parameter name: what records call the source.
    init(_ options: Options, name: String) throws(Fault) {
        // First: threads inherit it.
        Signals.hold()
        try options.checkPlaces()
        self.options = options
        self.name = name
        mailbox = FrameMailbox(keepsAll: options.everyFrame, isTriggered: options.trigger != nil)
        stop = try StopSign()
        inference = try Inference(options)
        converter = FrameConverter(inference.preprocessor)
        pins = try StreamPins(LinuxPins(), options, inference.legend)
    }

    /// Runs until the source ends or SIGTERM or SIGINT arrives; then the frame at hand is finished.
    ///
    /// - Throws: when the source, standard output or the trigger fails.
    func run<Source: FrameSource>(_ makeSource: (StopSign) throws(Fault) -> Source) throws(Fault) {
        let mailbox = mailbox, stop = stop, state = state
        @Sendable func end(_ fault: Fault?) {
            if let fault { state.note(fault) }
            stop.raise()
            mailbox.end(dropping: true)
        }
        let source = try makeSource(stop)
        try source.open()
        let sinks = try StreamSinks(options) { end($0) }
        try listen(end)
        let capture = try Thread {
            do throws(Fault) {
                try source.capture(into: mailbox)
            } catch {
                state.note(error)
            }
            mailbox.end()
        }
        manager.ready()
        while let frame = mailbox.take() {
            state.begin()
            reload()
            segment(frame, sinks)
            state.end()
        }
        manager.stopping()
        // A trigger may still be waited for.
        stop.raise()
        capture.join()
        let lost = sinks.finish()
        pins.rest()
        statistics.finish(counts: mailbox.counts, patched: converter.patchedCount, lost: lost, source: source.notes)
        say("fcclip-edge: " + statistics.summary)
        if options.report { for line in statistics.report(options, inference) { say(line) } }
        if let fault = state.fault { throw fault }
    }

    /// Threads that wait for signals, for the trigger, and for the time to tell systemd that all is well.
    private func listen(_ end: @escaping @Sendable (Fault?) -> Void) throws(Fault) {
        let mailbox = mailbox, stop = stop, state = state, manager = manager
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
            _ = try Thread {
                do throws(Fault) {
                    while try trigger.waitForEdge(stop) { mailbox.trigger() }
                } catch {
                    end(error)
                }
            }
        }
        if let period = manager.watchdogMilliseconds {
            _ = try Thread {
                while stop.wait(for: -1, milliseconds: period) == .timedOut {
                    if state.isHealthy { manager.alive() }
                }
            }
        }
    }

    /// Reads the vocabulary again if SIGHUP asked for it. One that does not fit is said, and the old one stays.
    private func reload() {
        guard state.takeReload() else { return }
        do throws(Fault) {
            let fresh = try Vocabulary(path: options.vocabulary)
            let categories = try pins.categories(Legend(fresh))
            try inference.adopt(fresh, path: options.vocabulary)
            pins.categories = categories
            say("fcclip-edge: \(options.vocabulary): read again, \(fresh.categories.count) classes")
        } catch {
            say("fcclip-edge: \(error.message); the old vocabulary stays")
        }
    }

    private func segment(_ frame: FrameBuffer, _ sinks: StreamSinks) {
        inference.begin()
        let size: Size, canvas: Picture?, segmentation: Segmentation
        do throws(Fault) {
            size = try converter.size(of: frame)
            canvas = sinks.canvas(size)
            // Its pixels are written to through a pointer that does not keep it.
            defer { withExtendedLifetime(canvas) {} }
            try converter.convert(frame, size: size, full: canvas?.pixels)
            inference.clock("convert")
            segmentation = try inference.segment(size)
        } catch {
            statistics.damaged += 1
            damage.occurred(error)
            return
        }
        damage.ended()
        pins.show(segmentation)
        let age = monotonicMilliseconds() - frame.captured
        if sinks.wantsLines {
            let record = SegmentsRecord.Frame(number: frame.number, skipped: frame.number - lastNumber - 1, capturedAt: frame.capturedAt, age: age)
            sinks.put(line: inference.line(segmentation, picture: name, frame: record))
        }
        sinks.put(segmentation, legend: inference.legend, canvas: canvas, capturedAt: frame.capturedAt)
        lastNumber = frame.number
        statistics.add(inference.stages, age: age, frame: frame.layout, size: size, input: inference.preprocessor.resizedSize)
    }
}

/// What the threads of a stream tell each other: why it ended, whether the vocabulary is to be read again, and how the work goes on.
private final class StreamState: @unchecked Sendable {
    private let monitor = Monitor()
    private var first: Fault?
    private var wantsReload = false
    private var isBusy = false
    private var begun = 0, seen = -1

    func note(_ fault: Fault) {
        monitor.locked { if first == nil { first = fault } }
    }

    var fault: Fault? { monitor.locked { first } }

    func askForReload() {
        monitor.locked { wantsReload = true }
    }

    func takeReload() -> Bool {
        monitor.locked {
            defer { wantsReload = false }
            return wantsReload
        }
    }

    func begin() {
        monitor.locked {
            isBusy = true
            begun += 1
        }
    }

    func end() {
        monitor.locked { isBusy = false }
    }

    /// Whether no frame has been worked on since the last call: idle, or at another one by now.
    var isHealthy: Bool {
        monitor.locked {
            defer { seen = begun }
            return !isBusy || begun != seen
        }
    }
}
