import ModelFormat
import Network
import System

/// GPIO lines that are high while a result raises one of their rules. All go low and are given back at the end.
public final class AlarmSink<System: PinSystem>: Sink {
    private let rules: [AlarmRule]
    private var alarms: [(pin: Pin<System>, rules: [Int])] = []
    /// The classes that each rule means.
    private var categories: [[Int]]
    /// The alarms' level while the source is lost: nothing is known then about the scene.
    private let isHighWhenLost: Bool
    private let repeated = RepeatedFault()

    /// - Throws: when the board lacks a line or the vocabulary a name.
    public init(_ system: System, _ rules: [AlarmRule], _ legend: Legend, isHighWhenLost: Bool) throws(Fault) {
        self.rules = rules
        self.isHighWhenLost = isHighWhenLost
        categories = try AlarmSink.categories(rules, legend)
        // Rules of one line share it: any of them raises the alarm.
        for (index, rule) in rules.enumerated() where !rules[..<index].contains(where: { $0.line == rule.line }) {
            let shared = rules.indices.filter { rules[$0].line == rule.line }
            alarms.append((try Pin(system, rule.line, output: true, option: "alarm"), shared))
        }
        super.init("--alarm", needs: .segmentation, form: .level)
    }

    /// Looks the rules' names up in a vocabulary. - Throws: when it lacks one.
    private static func categories(_ rules: [AlarmRule], _ legend: Legend) throws(Fault) -> [[Int]] {
        var found: [[Int]] = []
        for rule in rules { found.append(try rule.categories(legend)) }
        return found
    }

    override func check(_ legend: Legend) throws(Fault) {
        _ = try AlarmSink.categories(rules, legend)
    }

    override func adopt(_ legend: Legend) {
        if let found = try? AlarmSink.categories(rules, legend) { categories = found }
    }

    override func write(_ result: SinkResult) {
        do throws(Fault) {
            for alarm in alarms {
                try alarm.pin.set(alarm.rules.contains { rules[$0].isRaised(by: result.segmentation, categories: categories[$0]) })
            }
            repeated.ended()
        } catch {
            repeated.occurred(error)
        }
    }

    /// The alarms have their level for a lost source until the next result.
    override func sourceLost() {
        drive(isHighWhenLost)
    }

    override func finish(within milliseconds: Double) {
        drive(false)
    }

    /// Sets all alarms to one level, also when one of them fails.
    private func drive(_ isHigh: Bool) {
        for alarm in alarms {
            do throws(Fault) { try alarm.pin.set(isHigh) } catch { repeated.occurred(error) }
        }
    }
}
