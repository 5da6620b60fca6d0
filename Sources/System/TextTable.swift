/// Rows of cells, written in columns that line up: the first to the left, the others to the right.
public struct TextTable {
    private var rows: [[String]] = []

    public init() {}

    public mutating func add(_ cells: [String]) {
        rows.append(cells)
    }

    /// One line a row.
    public var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                if column == widths.count { widths.append(0) }
                widths[column] = max(widths[column], cell.unicodeScalars.count)
            }
        }
        var text = ""
        for row in rows {
            var line = ""
            for (column, cell) in row.enumerated() {
                let blanks = String(repeating: " ", count: widths[column] - cell.unicodeScalars.count)
                line += column == 0 ? cell + (row.count > 1 ? blanks : "") : "   " + blanks + cell
            }
            text += line + "\n"
        }
        return text
    }
}

/// `number` with `decimals` digits after the point, rounded half away from zero.
public func decimal(_ number: Double, _ decimals: Int) -> String {
    guard number.isFinite else { return "-" }
    var unit = 1
    for _ in 0..<decimals { unit *= 10 }
    let scaled = Int((min(abs(number), 1e12) * Double(unit)).rounded())
    var text = (number < 0 && scaled > 0 ? "-" : "") + String(scaled / unit)
    if decimals > 0 {
        let digits = String(scaled % unit)
        text += "." + String(repeating: "0", count: decimals - digits.utf8.count) + digits
    }
    return text
}

public func percent(_ fraction: Double) -> String { decimal(fraction * 100, 1) + "%" }
public func mebibytes(_ bytes: Int) -> String { decimal(Double(bytes) / 1_048_576, 1) + " MiB" }
