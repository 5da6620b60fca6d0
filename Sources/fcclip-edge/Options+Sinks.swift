import CSystem
import Kernels
import ModelFormat
import Network
import Sinks
import System

extension Options {
    /// Where results go that no option sends anywhere: a single picture's to a table if standard output is a terminal, else to JSON lines on standard
    /// output, unless files were asked for.
    mutating func completeOutputs(isSinglePicture: Bool) {
        if json.isEmpty, !table, isSinglePicture { table = isatty(STDOUT_FILENO) == 1 }
        if json.isEmpty, !table, overlay == nil, labels == nil, logits == nil { json = ["-"] }
    }

    /// The sinks for lines, pictures and arrays. - Throws: when one cannot be opened.
    func addSinks(to sinks: SinkSet, from source: SinkFactory.Source) throws(Fault) {
        let factory = SinkFactory(source)
        for destination in json { sinks.add(try factory.lines(destination)) }
        if table { sinks.add(try factory.tables()) }
        if let logits { sinks.add(try factory.maskLogits(logits)) }
        if let overlay { sinks.add(try factory.overlays(overlay)) }
        if let labels { sinks.add(try factory.labelMaps(labels)) }
    }

    /// The GPIO lines that results drive. - Throws: when the board lacks a line or the vocabulary a name.
    func addPins<Pins: PinSystem>(of system: Pins, _ legend: Legend, to sinks: SinkSet) throws(Fault) {
        if !alarms.isEmpty { sinks.add(try AlarmSink(system, alarms, legend, isHighWhenLost: alarmsHighWhenLost)) }
        if let heartbeat { sinks.add(try HeartbeatSink(system, heartbeat)) }
    }
}
