import Foundation
import System

/// Rules in a text file, as a person writes and edits them: one a line, `pattern precision range migration rounding`, words separated by
/// blanks. Words may be left out from the end; what stands behind them or behind `#` is not read.
public enum QuantizationTable {
    /// The rules of the file at `path`. - Throws: when it cannot be read, or a line is not a rule; the message names the line.
    public static func read(_ path: String) throws(Fault) -> [QuantizationPolicy.Rule] {
        let bytes = try contents(of: path, limit: 16 << 20)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw Fault("\(path): is not UTF-8 text") }
        var rules: [QuantizationPolicy.Rule] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            do throws(Fault) {
                if let rule = try rule(line) { rules.append(rule) }
            } catch {
                throw Fault("\(path), line \(index + 1): \(error.message)")
            }
        }
        return rules
    }

    /// The rule of a line; nil where there is none.
    static func rule(_ line: Substring) throws(Fault) -> QuantizationPolicy.Rule? {
        let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
        guard let pattern = words.first else { return nil }
        var decision = QuantizationDecision()
        if words.count > 1 {
            decision.precision = try value(words[1], "precision", QuantizationDecision.Precision.init, QuantizationDecision.Precision.allCases)
        }
        if words.count > 2, words[2] != QuantizationDecision.open { decision.range = try value(words[2], "range", RangeMethod.init, RangeMethod.allCases) }
        if words.count > 3, words[3] != QuantizationDecision.open {
            guard let migration = Float(words[3]), migration >= 0, migration <= 1 else {
                throw Fault("'\(words[3])' is no migration; it is 0...1 or \(QuantizationDecision.open)")
            }
            decision.migration = migration
        }
        if words.count > 4, words[4] != QuantizationDecision.open {
            decision.rounding = try value(words[4], "rounding", RoundingMethod.init, RoundingMethod.allCases)
        }
        return QuantizationPolicy.Rule(pattern, decision)
    }

    private static func value<Value: RawRepresentable<String>>(
        _ word: String, _ kind: String, _ make: (String) -> Value?, _ all: [Value]
    ) throws(Fault) -> Value {
        guard let value = make(word) else { throw Fault("'\(word)' is no \(kind); there are \(all.map(\.rawValue).joined(separator: ", "))") }
        return value
    }
}
