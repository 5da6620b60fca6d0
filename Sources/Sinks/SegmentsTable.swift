import CSystem
import Kernels
import ModelFormat
import Network
import System

/// The segments of a picture as a table for people: one row each, the largest first.
public enum SegmentsTable {
    /// - Parameter heading: precedes the line with the total, as in `frame 7: 3 segments in 12.3 ms`; empty for none.
    public static func text(_ result: SinkResult, heading: String = "") -> String {
        let segmentation = result.segmentation
        let segments = segmentation.segments
        var table = TextTable()
        if !segments.isEmpty { table.add(["name", "kind", "score", "area", "x, y, width x height"]) }
        let order = segments.indices.sorted { (segments[$0].area, segments[$1].id) > (segments[$1].area, segments[$0].id) }
        for index in order {
            let segment = segments[index]
            table.add([
                printable(result.legend.name(of: segment)), segment.isThing ? "thing" : "stuff", percent(Double(segment.score)),
                percent(Double(segment.area) / Double(max(segmentation.size.area, 1))),
                "\(segment.box.x), \(segment.box.y), \(segment.box.width) x \(segment.box.height)",
            ])
        }
        let count = segments.count == 1 ? "1 segment" : "\(segments.count) segments"
        return table.text + (heading.isEmpty ? "" : printable(heading) + ": ") + "\(count) in \(decimal(result.totalMilliseconds, 1)) ms\n"
    }
}

/// Tables on standard output.
final class TableSink: Sink {
    /// Whether each table names its picture or frame, and an empty line separates it from the next.
    private let isOneOfMany: Bool

    init(isOneOfMany: Bool) {
        self.isOneOfMany = isOneOfMany
        super.init("standard output", needs: .segmentation, form: .table, isVital: true)
    }

    override func write(_ result: SinkResult) throws(Fault) {
        let heading = isOneOfMany ? result.frame.map { "frame \($0.number)" } ?? result.picture : ""
        let text = Array((SegmentsTable.text(result, heading: heading) + (isOneOfMany ? "\n" : "")).utf8)
        guard text.withUnsafeBytes({ writeAll($0, to: STDOUT_FILENO) }) else { throw Fault("\(name): cannot be written: \(systemError())") }
    }
}
