import Imaging
import Kernels
import ModelFormat
import Network
import System

/// The parts of a result that a sink reads besides its picture's name. What no sink needs is not made.
public struct SinkNeeds: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The JSON line.
    public static let line = SinkNeeds(rawValue: 1)
    /// Segments, label map and masks, with the legend.
    public static let segmentation = SinkNeeds(rawValue: 2)
    /// The whole picture as RGB8, which the sink may draw on.
    public static let canvas = SinkNeeds(rawValue: 4)
    /// The network's mask logits, through `inspect`.
    public static let logits = SinkNeeds(rawValue: 8)
}

/// The form in which a sink puts a result out; a run counts its losses by it.
public enum SinkForm: Sendable {
    case line, table, picture, array
    /// The level of a GPIO line. Levels are not counted: the next result sets them anew.
    case level
}

/// A destination of results. Each kind of sink is a subclass; `SinkFactory` chooses it by the destination's name.
///
/// Pictures call their sinks directly. In a stream, `QueuedSink` runs a sink that may be slow on a thread of its own.
public class Sink {
    /// What messages call it.
    public final let name: String
    public final let needs: SinkNeeds
    public final let form: SinkForm
    /// Whether the run ends when this sink fails.
    public final let isVital: Bool
    /// Whether results travel over a network, which may lose them without a fault of the program's.
    public final let isNetwork: Bool
    /// Results that could not be written or sent, and those that a network reported as undeliverable.
    final var failedCount = 0

    init(_ name: String, needs: SinkNeeds, form: SinkForm, isVital: Bool = false, isNetwork: Bool = false) {
        self.name = name
        self.needs = needs
        self.form = form
        self.isVital = isVital
        self.isNetwork = isNetwork
    }

    /// Puts one result out. - Throws: when that fails; the result is counted as failed.
    public final func accept(_ result: SinkResult) throws(Fault) {
        do throws(Fault) {
            try write(result)
        } catch {
            failedCount += 1
            throw error
        }
    }

    /// Puts the mask logits of a picture out, before it becomes segments. - Throws: when that fails; the result is counted as failed.
    public final func inspect(_ prediction: Prediction, picture: String) throws(Fault) {
        do throws(Fault) {
            try write(prediction, picture: picture)
        } catch {
            failedCount += 1
            throw error
        }
    }

    // MARK: - What subclasses override

    /// The work of `accept`.
    func write(_ result: SinkResult) throws(Fault) {}

    /// The work of `inspect`.
    func write(_ prediction: Prediction, picture: String) throws(Fault) {}

    /// Memory for the next picture as RGB8, if this sink provides it; the next result that it accepts carries it as `canvas`.
    func canvas(_ size: Size) -> Picture? { nil }

    /// The picture that the last `canvas` was meant for failed: there will be no result of it.
    func returnCanvas() {}

    /// - Throws: when the sink cannot work with the classes of another vocabulary; nothing changes.
    func check(_ legend: Legend) throws(Fault) {}

    /// Uses the classes of another vocabulary, for which `check` has succeeded.
    func adopt(_ legend: Legend) {}

    /// The source gives no frames for now.
    func sourceLost() {}

    /// Stops holding the source back: from now on the sink drops what it is too slow for. For any thread.
    func hurry() {}

    /// No more results come. - Parameter milliseconds: how long a sink may take to write what waits. - Throws: when the output cannot be completed.
    func finish(within milliseconds: Double) throws(Fault) {}

    /// Results that the sink was too slow for, and those that it could not write.
    var losses: (dropped: Int, failed: Int) { (0, failedCount) }
}
