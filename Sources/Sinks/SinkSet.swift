import Imaging
import Kernels
import ModelFormat
import Network
import System

/// All sinks of a run. Results go to them in the order in which they were added.
public final class SinkSet: @unchecked Sendable {
    /// Results that did not reach their destination.
    public struct Losses {
        public var lines = 0, tables = 0, pictures = 0
        /// Of all of them, those that could not be written, other than by a network.
        public var unwritten = 0

        public init() {}

        public var isEmpty: Bool { lines == 0 && tables == 0 && pictures == 0 }
    }

    private var sinks: [Sink] = []

    public init() {}

    /// To be called before the first result, and before other threads know this set.
    public func add(_ sink: Sink) {
        sinks.append(sink)
    }

    /// Memory for a whole frame of `size` as RGB8; nil when no sink needs one, or all are in use. Either `accept` or `returnCanvas` must follow.
    public func canvas(_ size: Size) -> Picture? {
        // The last sink's own: the ones before it copy it before that one may draw on it.
        var last: Picture?
        for sink in sinks where sink.needs.contains(.canvas) { last = sink.canvas(size) ?? last }
        return last
    }

    /// Takes back what `canvas(_:)` gave, unused.
    public func returnCanvas() {
        for sink in sinks { sink.returnCanvas() }
    }

    /// - Parameters:
    ///   - line: makes the result's JSON line; called once if a sink needs it, after those before that sink have their result.
    ///   - failed: called for every sink that could not put the result out.
    public func accept(_ result: inout SinkResult, line: () -> [UInt8], failed: (Sink, Fault) -> Void) {
        var hasLine = false
        for sink in sinks {
            if !hasLine, sink.needs.contains(.line) {
                result.line = line()
                hasLine = true
            }
            do throws(Fault) { try sink.accept(result) } catch { failed(sink, error) }
        }
    }

    /// Hands the network's prediction to the sinks that need its logits.
    public func inspect(_ prediction: Prediction, picture: String, failed: (Sink, Fault) -> Void) {
        for sink in sinks where sink.needs.contains(.logits) {
            do throws(Fault) { try sink.inspect(prediction, picture: picture) } catch { failed(sink, error) }
        }
    }

    /// - Throws: when a sink cannot work with another vocabulary; nothing changes.
    public func check(_ legend: Legend) throws(Fault) {
        for sink in sinks { try sink.check(legend) }
    }

    /// Uses the classes of another vocabulary, for which `check` has succeeded.
    public func adopt(_ legend: Legend) {
        for sink in sinks { sink.adopt(legend) }
    }

    /// The source gives no frames for now.
    public func sourceLost() {
        for sink in sinks { sink.sourceLost() }
    }

    /// No sink holds the source back any more. For any thread.
    public func hurry() {
        for sink in sinks { sink.hurry() }
    }

    /// Lets every sink write what waits, each at most `milliseconds` long, the first one last.
    ///
    /// - Parameter failed: called for every output that could not be completed.
    public func finish(within milliseconds: Double, failed: (Fault) -> Void = { _ in }) -> Losses {
        var losses = Losses()
        for sink in sinks.reversed() {
            do throws(Fault) { try sink.finish(within: milliseconds) } catch { failed(error) }
            let (dropped, failed) = sink.losses
            switch sink.form {
            case .line: losses.lines += dropped + failed
            case .table: losses.tables += dropped + failed
            case .picture, .array: losses.pictures += dropped + failed
            case .level: continue
            }
            if !sink.isNetwork { losses.unwritten += failed }
        }
        return losses
    }
}
