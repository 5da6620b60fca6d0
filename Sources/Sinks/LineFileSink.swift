import CSystem
import System

/// JSON lines of pictures in a file, which appears when the run is finished, with all lines that could be written.
final class WholeLineFileSink: Sink {
    private let file: AtomicFile

    /// - Throws: when the file cannot be written to.
    init(_ path: String) throws(Fault) {
        file = try AtomicFile(path: path)
        super.init(path, needs: .line, form: .line)
    }

    override func write(_ result: SinkResult) throws(Fault) {
        try file.append(whole: result.line)
    }

    override func finish(within milliseconds: Double) throws(Fault) {
        try file.commit()
    }
}

/// JSON lines of a stream, appended to a file one by one.
final class AppendedLineFileSink: Sink {
    private let descriptor: Int32
    /// Whether the file ends within a line: one that an earlier run, or a full disk, cut short.
    private var isTorn: Bool

    /// - Throws: when the file cannot be opened for writing.
    init(_ path: String) throws(Fault) {
        descriptor = openForAppending(path)
        guard descriptor >= 0 else { throw Fault("\(path): cannot be written: \(systemError())") }
        isTorn = endsWithinLine(path)
        super.init(path, needs: .line, form: .line)
    }

    override func write(_ result: SinkResult) throws(Fault) {
        if isTorn {
            // What was cut short stays alone on its line.
            guard [UInt8(0x0A)].withUnsafeBytes({ writeAll($0, to: descriptor) }) else { throw failure() }
            isTorn = false
        }
        var done = 0
        guard result.line.withUnsafeBytes({ writeAll($0, to: descriptor, done: &done) }) else {
            isTorn = done > 0
            throw failure()
        }
    }

    private func failure() -> Fault {
        Fault("\(name): cannot be written: \(systemError())")
    }

    deinit { close(descriptor) }
}
