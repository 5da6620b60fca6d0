/// Rows of cells, printed in aligned columns: the first flush left, the others flush right.
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
