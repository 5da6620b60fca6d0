import Foundation
import Kernels
import Network
import Sinks
import TestSupport
import Testing

@Suite struct RunLengthEncodingTests {
    struct Case: Decodable {
        let size: [Int]
        let rectangles: [[Int]]
        let counts: String
    }

    private func encode(_ segmentation: Segmentation, segment: Int) -> RunLengthEncoding {
        var encoding = RunLengthEncoding()
        // An earlier encoding has no effect.
        for index in [segmentation.segments.count - 1, segment] { encoding.encode(segmentation, segment: index) }
        return encoding
    }

    @Test(arguments: [false, true]) func equalsPycocotools(ofInstances: Bool) throws {
        let cases = try JSONDecoder().decode([Case].self, from: Data(Fixture.bytes("output/rle.json")))
        #expect(cases.count == 23)
        for item in cases {
            var segmentation = Segmentation(task: ofInstances ? .instance : .panoptic, size: Size(height: item.size[0], width: item.size[1]))
            segmentation.add(item.rectangles.map { Box(x: $0[0], y: $0[1], width: $0[2], height: $0[3]) })
            let encoding = encode(segmentation, segment: 0)
            #expect(String(decoding: encoding.counts, as: UTF8.self) == item.counts, "\(item.size) \(item.rectangles)")
            #expect(encoding.runs.reduce(0, +) == segmentation.size.area)
            var inside = 0
            for index in encoding.runs.indices where index % 2 == 1 { inside += encoding.runs[index] }
            #expect(inside == segmentation.segments[0].area)
        }
    }

    @Test func overlappingInstancesKeepTheirMasks() {
        var segmentation = Segmentation(task: .instance, size: Size(height: 4, width: 6))
        segmentation.add([Box(x: 0, y: 0, width: 4, height: 4)])
        segmentation.add([Box(x: 2, y: 1, width: 4, height: 2)])
        #expect(encode(segmentation, segment: 0).runs == [0, 16, 8])
        #expect(encode(segmentation, segment: 1).runs == [9, 2, 2, 2, 2, 2, 2, 2, 1])
    }
}
