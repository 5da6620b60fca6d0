import Foundation
import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import Testing

@Suite struct SegmentsRecordTests {
    private func parse(_ line: [UInt8]) throws -> NSDictionary {
        try #require(try JSONSerialization.jsonObject(with: Data(line)) as? NSDictionary)
    }

    @Test func lineHoldsWhatTheReadmeSays() throws {
        var segmentation = Segmentation(task: .panoptic, size: Size(height: 3, width: 4))
        segmentation.add([Box(x: 1, y: 0, width: 2, height: 3)], category: 1, synonym: 1, score: 0.98761)
        segmentation.add([Box(x: 0, y: 0, width: 1, height: 1)], category: 0, isThing: false, score: 1)
        let legend = Legend([.init(names: ["sky"], colour: Colour(0x0000FF)), .init(names: ["dog", "puppy"], colour: Colour(0xFF0000))])
        let record = SegmentsRecord(
            picture: "a \"b\"\\\n\u{1}é.jpg", stages: [.init(name: "decode", milliseconds: 1.25), .init(name: "backbone", milliseconds: 700.0006)],
            totalMilliseconds: 701.3, model: .init(path: "models/m.gguf", identity: "00ff"), vocabulary: .init(path: "v.gguf", identity: "abcd"))
        var writer = SegmentsRecord.Writer()
        // An earlier record has no effect.
        for _ in 0..<2 { record.write(segmentation, legend: legend, into: &writer) }
        let line = writer.line
        #expect(line.last == 0x0A && line.dropLast().allSatisfy { $0 >= 0x20 })
        let expected: NSDictionary = [
            "schema": 1, "picture": "a \"b\"\\\n\u{1}é.jpg", "size": ["width": 4, "height": 3], "task": "panoptic",
            "segments": [
                [
                    "id": 1, "category": 1, "name": "dog", "synonym": "puppy", "isthing": true, "score": 0.9876, "area": 6, "box": [1, 0, 2, 3],
                    "rle": ["size": [3, 4], "counts": "363"],
                ],
                [
                    "id": 2, "category": 0, "name": "sky", "synonym": "sky", "isthing": false, "score": 1.0, "area": 1, "box": [0, 0, 1, 1],
                    "rle": ["size": [3, 4], "counts": "01;"],
                ],
            ],
            "timing": ["decode": 1.25, "backbone": 700.001, "total": 701.3],
            "model": ["name": "m.gguf", "identity": "00ff"], "vocabulary": ["name": "v.gguf", "identity": "abcd"],
        ]
        #expect(try parse(line) == expected)
    }

    @Test func numbersAreFixedPoint() {
        func text(_ number: Double, _ decimals: Int) -> String {
            var json = JSONWriter()
            json.value(number, decimals: decimals)
            return String(decoding: json.bytes, as: UTF8.self)
        }
        #expect(text(0, 4) == "0.0000")
        #expect(text(-0.00001, 4) == "0.0000")
        #expect(text(-1.5, 0) == "-2")
        #expect(text(0.99996, 4) == "1.0000")
        #expect(text(12.0506, 3) == "12.051")
        #expect(text(-3.25, 1) == "-3.3")
        #expect(text(1e300, 9) == "900000000.000000000")
        #expect(text(.nan, 2) == "null" && text(.infinity, 2) == "null")
        for number in [0, 7, 10, 999, 1000, -1, Int.max, Int.min] {
            var json = JSONWriter()
            json.value(number)
            #expect(String(decoding: json.bytes, as: UTF8.self) == "\(number)")
        }
    }

    @Test func everyCharacterSurvives() throws {
        var all = ""
        for value in (0..<0x300) { all.unicodeScalars.append(Unicode.Scalar(UInt32(value))!) }
        all += "\u{2028}😀"
        var json = JSONWriter()
        json.beginObject()
        json.key(all)
        json.beginArray()
        json.value(all)
        json.beginArray()
        json.endArray()
        json.value(true)
        json.endArray()
        json.key("next")
        json.value(-7)
        json.endObject()
        #expect(json.bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
        #expect(try parse(json.bytes) == [all: [all, [], true], "next": -7] as NSDictionary)
    }

    @Test func classesBeyondTheLegendAreNamedSo() {
        let segment = Segment(id: 1, category: 9, synonym: 3, isThing: true, score: 0, area: 0, box: Box(x: 0, y: 0, width: 0, height: 0))
        let legend = Legend([])
        #expect(legend.name(of: segment) == "?" && legend.synonym(of: segment) == "?")
    }
}
