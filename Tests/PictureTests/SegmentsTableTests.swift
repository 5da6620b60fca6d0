import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import Testing

@Suite struct SegmentsTableTests {
    private static let legend = Legend([.init(names: ["sky"], colour: Colour(0)), .init(names: ["bär\u{1B}[1m", "puppy"], colour: Colour(1))])

    private func table(_ segments: [Segment], heading: String = "") -> String {
        var segmentation = Segmentation(task: .panoptic, size: Size(height: 10, width: 20))
        segmentation.segments = segments
        return SegmentsTable.text(SinkResult(segmentation, legend: Self.legend, picture: "p", totalMilliseconds: 12.345), heading: heading)
    }

    /// Largest first; of equal areas, the one found first. Names come from a file: control characters are shown as their codes.
    @Test func rowsAndTotal() {
        func segment(_ id: Int, _ category: Int, _ score: Float, _ area: Int, _ box: Box) -> Segment {
            Segment(id: id, category: category, synonym: 0, isThing: category == 1, score: score, area: area, box: box)
        }
        let text = table([
            segment(1, 1, 0.98761, 30, Box(x: 1, y: 2, width: 6, height: 5)), segment(2, 0, 1, 120, Box(x: 0, y: 0, width: 20, height: 6)),
            segment(3, 1, 0.5, 30, Box(x: 10, y: 5, width: 10, height: 5)),
        ])
        #expect(
            text == """
                name            kind    score    area   x, y, width x height
                sky            stuff   100.0%   60.0%           0, 0, 20 x 6
                bär\\u{1B}[1m   thing    98.8%   15.0%            1, 2, 6 x 5
                bär\\u{1B}[1m   thing    50.0%   15.0%          10, 5, 10 x 5
                3 segments in 12.3 ms

                """)
        #expect(table([segment(1, 0, 1, 200, Box(x: 0, y: 0, width: 20, height: 10))]).hasSuffix("\n1 segment in 12.3 ms\n"))
    }

    @Test func nothingFound() {
        #expect(table([]) == "0 segments in 12.3 ms\n")
        #expect(table([], heading: "frame 7") == "frame 7: 0 segments in 12.3 ms\n")
    }
}
