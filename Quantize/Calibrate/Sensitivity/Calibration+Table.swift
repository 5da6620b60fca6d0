import Foundation

extension Calibration {
    /// The decisions on all layers and points as a table for `QuantizationTable`, in the order of `parts`.
    public func table(_ parts: [Sensitivity.Part]) -> String {
        let header = ["# layer or point", "precision", "range", "migration", "rounding", "# dB of the network's results with this part alone in int8"]
        let lines = parts.flatMap { part in
            part.names.map { name in
                [name] + (decisions[name] ?? QuantizationDecision(precision: .float32)).description.split(separator: " ").map(String.init)
                    + [part.decibels.isFinite ? String(format: "# %.1f", part.decibels) : "# exact"]
            }
        }
        let rows = [header] + lines
        let widths = (0..<header.count).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, word in
                column + 1 == row.count ? word : word + String(repeating: " ", count: widths[column] - word.count + 2)
            }.joined() + "\n"
        }.joined()
    }
}
