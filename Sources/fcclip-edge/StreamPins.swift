import Board
import GPIO
import Network
import Output

/// The GPIO lines of a stream. All go low and are given back at its end.
final class StreamPins<System: PinSystem> {
    /// What starts the work on a frame; nil when all are worked on.
    let trigger: Pin<System>?
    private let heartbeat: Pin<System>?
    private let rules: [AlarmRule]
    private var alarms: [(pin: Pin<System>, rules: [Int])] = []
    /// Classes that each rule means.
    var categories: [[Int]] = []
    private let talk = RepeatedFault()

    /// - Throws: when the board lacks a line or the vocabulary a name.
    init(_ system: System, _ options: Options, _ legend: Legend) throws(Fault) {
        rules = options.alarms
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

    /// Everything low.
    func rest() {
        do throws(Fault) {
            for alarm in alarms { try alarm.pin.set(false) }
            try heartbeat?.set(false)
        } catch {
            talk.occurred(error)
        }
    }
}
