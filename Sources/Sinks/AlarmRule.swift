import Imaging
import Kernels
import ModelFormat
import Network
import System

/// An alarm is raised by a segment that has a name and covers a fraction of the picture.
public struct AlarmRule: Equatable, Sendable {
    public let line: PinName
    public let name: String
    /// Least fraction of the picture, 0...1.
    public let area: Double

    /// `LINE:NAME` or `LINE:NAME:AREA`, the line as a name or `CHIP:OFFSET`, the area as a fraction of the picture or in percent.
    /// - Throws: when it is none of these.
    public init(_ text: String) throws(Fault) {
        let expected = Fault("--alarm \(text): LINE:NAME or LINE:NAME:AREA is expected, as in GPIO17:person:0.05 or gpiochip0:17:person:5%")
        var parts = PinName.parts(text)
        // A number in second place is a line's.
        if parts.count > 2, UInt32(parts[1]) != nil { parts[0...1] = [parts[0] + ":" + parts[1]] }
        guard parts.count == 2 || parts.count == 3, !parts[1].isEmpty else { throw expected }
        line = try PinName(parts[0], option: "alarm")
        name = parts[1]
        guard parts.count == 3 else {
            area = 0
            return
        }
        let isPercent = parts[2].utf8.last == 0x25
        guard let number = decimal(isPercent ? String(decoding: parts[2].utf8.dropLast(), as: UTF8.self) : parts[2]) else { throw expected }
        area = isPercent ? number / 100 : number
        guard (0...1).contains(area) else { throw expected }
    }

    /// Classes of the vocabulary that have the name. - Throws: when there is none.
    public func categories(_ legend: Legend) throws(Fault) -> [Int] {
        let found = legend.entries.indices.filter { legend.entries[$0].names.contains(name) }
        guard !found.isEmpty else { throw Fault("--alarm \(line.text):\(name): the vocabulary has no class of this name") }
        return found
    }

    /// Whether a picture raises it.
    public func isRaised(by segmentation: Segmentation, categories: [Int]) -> Bool {
        let least = area * Double(segmentation.size.area)
        for segment in segmentation.segments where segment.area > 0 && Double(segment.area) >= least && categories.contains(segment.category) { return true }
        return false
    }
}
