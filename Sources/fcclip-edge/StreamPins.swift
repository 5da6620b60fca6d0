import ModelFormat
import Network
import Sinks
import System

/// The GPIO lines of a stream. All go low and are given back at its end.
final class StreamPins<System: PinSystem> {
    /// What starts the work on a frame; nil when all are worked on.
    let trigger: Pin<System>?
    private let heartbeat: Pin<System>?
    private let rules: [AlarmRule]
    private var alarms: [(pin: Pin<System>, rules: [Int])] = []
    /// Classes that each rule means.
    var categories: [[Int]] = []
    /// The alarms' level while the source is lost: nobody knows then what there is to see.
    private let isHighWhenLost: Bool
    private let talk = RepeatedFault()

    /// - Throws: when the board lacks a line or the vocabulary a name.
    init(_ system: System, _ options: Options, _ legend: Legend) throws(Fault) {
        rules = options.alarms
        isHighWhenLost = options.alarmsHighWhenLost
        trigger = if let line = options.trigger { try Pin(system, line, output: false, option: "trigger") } else { nil }
        heartbeat = if let line = options.heartbeat { try Pin(system, line, output: true, option: "heartbeat") } else { nil }
        categories = try categories(legend)
        // Rules of one line share it: any of them raises the alarm.
        for (index, rule) in rules.enumerated() where !rules[..<index].contains(where: { $0.line == rule.line }) {
            let shared = rules.indices.filter { rules[$0].line == rule.line }
            alarms.append((try Pin(system, rule.line, output: true, option: "alarm"), shared))
        }
    }

    /// Looks the alarms' names up in a vocabulary. - Throws: when it lacks one.
    func categories(_ legend: Legend) throws(Fault) -> [[Int]] {
        var found: [[Int]] = []
        for rule in rules { found.append(try rule.categories(legend)) }
        return found
    }

    /// Drives the lines by what was found, and the heartbeat the other way.
    func show(_ segmentation: Segmentation) {
        do throws(Fault) {
            for alarm in alarms {
                try alarm.pin.set(alarm.rules.contains { rules[$0].isRaised(by: segmentation, categories: categories[$0]) })
            }
            try heartbeat?.toggle()
            talk.ended()
        } catch {
            talk.occurred(error)
        }
    }

    /// The source is lost: the alarms go to their level for that until the next frame.
    func lose() {
        drive(isHighWhenLost)
    }

    /// Everything low.
    func rest() {
        drive(false)
        do throws(Fault) { try heartbeat?.set(false) } catch { talk.occurred(error) }
    }

    /// All alarms to one level, whatever becomes of one of them.
    private func drive(_ isHigh: Bool) {
        for alarm in alarms {
            do throws(Fault) { try alarm.pin.set(isHigh) } catch { talk.occurred(error) }
        }
    }
}
