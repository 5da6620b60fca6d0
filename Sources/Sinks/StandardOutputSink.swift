import CSystem
import System

/// JSON lines on standard output.
final class StandardOutputSink: Sink {
    init() {
        super.init("standard output", needs: .line, form: .line, isVital: true)
    }

    override func write(_ result: SinkResult) throws(Fault) {
        guard result.line.withUnsafeBytes({ writeAll($0, to: STDOUT_FILENO) }) else { throw Fault("\(name): cannot be written: \(systemError())") }
    }
}
