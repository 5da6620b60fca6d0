import Foundation
import Imaging
import Kernels
import TestSupport
import Testing

@testable import Evaluate
@testable import ModelFormat

/// Annotations in all common forms, and bad ones.
@Suite struct DatasetTests {
    private static let size = Size(height: 120, width: 136)

    // MARK: - Classes

    @Test func firstNamesGoBeforeSynonyms() throws {
        func named(_ names: [String], first: Int, id: Int?) -> Vocabulary.Category {
            Vocabulary.Category(name: names[0], firstName: first, nameCount: names.count, isThing: true, isSeen: true, colour: Colour(0), id: id)
        }
        let classes = [named(["sphere", "ball"], first: 0, id: 7), named(["Ball"], first: 2, id: 3), named(["sky"], first: 3, id: nil)]
        let names = ["sphere", "ball", "Ball", "sky"]
        let categories = [
            DatasetCategory(id: 3, name: " ball ", isThing: true), DatasetCategory(id: 7, name: "river", isThing: nil),
            DatasetCategory(id: 8, name: "Sphere", isThing: false),
        ]
        let byName = try ClassMatching(categories, classes, names: names, by: .name)
        #expect(byName.ofCategory == [3: 0, 8: 1])
        #expect(byName.ofVocabulary == [1, 0, nil])
        #expect(byName.notInVocabulary == ["river"] && byName.notInDataset == ["sky"] && byName.contradictions == ["Sphere"])
        let byID = try ClassMatching(categories, classes, names: names, by: .id)
        #expect(byID.ofVocabulary == [1, 0, nil] && byID.ofCategory == [3: 0, 7: 1])
        #expect(
            faultMessage { _ = try ClassMatching([DatasetCategory(id: 1, name: "cup", isThing: nil)], classes, names: names, by: .name) }?.contains("cup")
                == true)
    }

    @Test func categoriesWithoutAClassAreVoid() throws {
        let data = try CocoPanoptic(path: try Fixture.path("evaluate/truth.json"), pictures: "pictures")
        let things = data.categories.filter { $0.isThing == true }
        let whole = try data.truth(0, size: Self.size, matching: try matching(data.categories))
        let part = try data.truth(
            0, size: Self.size, matching: try ClassMatching(data.categories, vocabulary(things).categories, names: vocabulary(things).names, by: .name))
        let map = try #require(part.panoptic)
        let all = try #require(whole.panoptic)
        #expect(map.segments.count == all.segments.count { $0.category < 3 } && map.segments.count < all.segments.count)
        #expect(Set(map.ids).subtracting([0]) == Set(map.segments.map(\.id)))
        #expect(part.instances?.count == map.segments.count)
        #expect(part.semantic?.max() == 2)
    }

    // MARK: - Label maps

    @Test func labelMapsByTheirEndings() throws {
        let folder = try TemporaryFolder()
        let size = Size(height: 2, width: 3)
        for place in ["pictures/aachen", "maps/aachen"] {
            try FileManager.default.createDirectory(atPath: folder.path(place), withIntermediateDirectories: true)
        }
        try PNG.write(rgb: [UInt8](repeating: 9, count: 18), size: size, to: folder.path("pictures/aachen/a_leftImg8bit.png"))
        try FileManager.default.copyItem(atPath: try Fixture.path("evaluate/labels.png"), toPath: folder.path("maps/aachen/a_gtFine_labelIds.png"))
        let categories = [DatasetCategory(id: 7, name: "road", isThing: false), DatasetCategory(id: 26, name: "car", isThing: true)]
        let data = try LabelMaps(
            pictures: folder.path("pictures"), maps: folder.path("maps"), ending: "_leftImg8bit.png", mapEnding: "_gtFine_labelIds.png", categories: categories)
        #expect(data.pictures == [folder.path("pictures") + "/aachen/a_leftImg8bit.png"])
        let truth = try data.truth(0, size: size, matching: try matching(categories))
        #expect(truth.semantic == [0, 1, -1, 0, 0, -1])
        #expect(truth.panoptic == nil && truth.instances == nil)
        #expect(faultMessage { _ = try data.truth(0, size: Self.size, matching: try matching(categories)) }?.contains("3 x 2") == true)
        let message = faultMessage {
            _ = try LabelMaps(pictures: folder.path("pictures"), maps: folder.path("maps"), ending: ".png", mapEnding: ".png", categories: categories)
        }
        #expect(message?.contains("a_leftImg8bit.png: absent") == true)
    }

    // MARK: - Sizes

    /// Annotations of another size than the picture's are found before any work, in any picture.
    @Test func sizesAreCompared() throws {
        let folder = try TemporaryFolder()
        let small = Size(height: 2, width: 3)
        for place in ["p", "m"] { try FileManager.default.createDirectory(atPath: folder.path(place), withIntermediateDirectories: true) }
        try PNG.write(rgb: [UInt8](repeating: 9, count: 18), size: small, to: folder.path("p/a.png"))
        try PNG.write(rgb: [UInt8](repeating: 9, count: 18), size: small, to: folder.path("m/a.png"))
        func fault(_ width: Int?, isPanoptic: Bool) throws -> String? {
            let image = "{\"id\":1,\"file_name\":\"a.png\"" + (width.map { ",\"width\":\($0),\"height\":2" } ?? "") + "}"
            let annotation = isPanoptic ? "{\"image_id\":1,\"file_name\":\"a.png\",\"segments_info\":[]}" : ""
            let path = try folder.file(
                "a.json", Array("{\"images\":[\(image)],\"annotations\":[\(annotation)],\"categories\":[{\"id\":1,\"name\":\"x\"}]}".utf8))
            let data: any Dataset =
                isPanoptic
                ? try CocoPanoptic(path: path, pictures: folder.path("p"), maps: folder.path("m")) : try CocoInstances(path: path, pictures: folder.path("p"))
            return faultMessage { try data.checkSize(of: 0) }
        }
        for isPanoptic in [false, true] {
            #expect(try fault(3, isPanoptic: isPanoptic) == nil && fault(nil, isPanoptic: isPanoptic) == nil)
            #expect(try fault(2, isPanoptic: isPanoptic) == "\(folder.path("a.json")): \(folder.path("p"))/a.png is annotated as 2 x 2 pixels but has 3 x 2")
        }
        try PNG.write(rgb: [UInt8](repeating: 9, count: 12), size: Size(height: 2, width: 2), to: folder.path("m/a.png"))
        #expect(try fault(3, isPanoptic: true) == "\(folder.path("m"))/a.png: \(folder.path("p"))/a.png is annotated as 2 x 2 pixels but has 3 x 2")
        let maps = try LabelMaps(
            pictures: folder.path("p"), maps: folder.path("m"), ending: ".png", mapEnding: ".png",
            categories: [DatasetCategory(id: 1, name: "x", isThing: false)])
        #expect(faultMessage { try maps.checkSize(of: 0) }?.contains("annotated as 2 x 2 pixels but has 3 x 2") == true)
        #expect(faultMessage { _ = try Picture.size(path: folder.path("a.json")) }?.hasSuffix("not a JPEG or PNG picture") == true)
    }

    // MARK: - Forms of JSON

    /// Forms that Python and other programs write: truth values where COCO has 0 and 1, numbers that JSON lacks in unused members, a byte-order mark.
    @Test func otherFormsOfJSON() throws {
        let folder = try TemporaryFolder()
        let plain = String(decoding: try Fixture.bytes("evaluate/instances.json"), as: UTF8.self)
        func crowds(_ text: String) throws -> [Bool] {
            let data = try CocoInstances(path: try folder.file("case.json", Array(text.utf8)), pictures: "p")
            return try data.pictures.indices.flatMap {
                try data.truth($0, size: Self.size, matching: try matching(data.categories)).instances?.map(\.isCrowd) ?? []
            }
        }
        let expected = try crowds(plain)
        #expect(expected.contains(true) && expected.contains(false))
        #expect(try crowds(plain.replacing("\"iscrowd\":1", with: "\"iscrowd\":true").replacing("\"iscrowd\":0", with: "\"iscrowd\":false")) == expected)
        #expect(try crowds("\u{FEFF}" + plain) == expected)
        #expect(try crowds(plain.replacing("{\"images\"", with: "{\"info\":{\"a\":NaN,\"b\":[Infinity,-Infinity]},\"images\"")) == expected)
        let latin = try folder.file("latin.json", Array("{\"caf".utf8) + [0xE9] + Array("\":1}".utf8))
        #expect(faultMessage { _ = try CocoInstances(path: latin, pictures: "p") }?.hasSuffix("damaged JSON") == true)
        #expect(
            faultMessage { _ = try crowds(plain.replacing("\"iscrowd\":1", with: "\"iscrowd\":\"yes\"")) }?.contains(
                /annotations\[\d+\]\.iscrowd is of another type/) == true)
        #expect(
            faultMessage { _ = try crowds(plain.replacing("\"image_id\"", with: "\"imageId\"")) }?.contains("\"image_id\" is missing in annotations[0]") == true
        )
    }

    // MARK: - Bad input

    /// The message of reading the fixture's JSON, with `old` once replaced by `new`, and its first picture.
    private func fault(_ name: String, _ old: String, _ new: String) throws -> String? {
        let folder = try TemporaryFolder()
        let text = String(decoding: try Fixture.bytes("evaluate/\(name).json"), as: UTF8.self)
        let range = try #require(text.range(of: old))
        let path = try folder.file("\(name).json", Array(text.replacingCharacters(in: range, with: new).utf8))
        return faultMessage {
            let data: any Dataset =
                name == "truth"
                ? try CocoPanoptic(path: path, pictures: "p", maps: try Fixture.path("evaluate/truth")) : try CocoInstances(path: path, pictures: "p")
            for index in data.pictures.indices { _ = try data.truth(index, size: Self.size, matching: try matching(data.categories)) }
        }
    }

    @Test(arguments: [
        ("truth", "{\"images\"", "{\"image\"", "\"images\" is missing"),
        ("truth", "\"category_id\":20", "\"category_id\":\"x\"", "another type"),
        ("truth", "\"category_id\":20", "\"category_id\":2", "category 2, which is not listed"),
        ("truth", "\"iscrowd\":0", "\"iscrowd\":", "damaged JSON"),
        ("truth", "\"area\":", "\"area\":9999999999", "pixels"),
        ("truth", "\"area\":", "\"area\":-", "pixels"),
        ("truth", "\"image_id\":3", "\"image_id\":30", "picture 30, which it does not list"),
        ("truth", "\"file_name\":\"0.png\"", "\"file_name\":\"absent.png\"", "absent.png"),
        ("truth", "\"file_name\":\"0.png\"", "\"file_name\":\"../labels.png\"", "RGB PNG"),
        ("truth", "\"file_name\":\"0.png\"", "\"file_name\":\"../truth.json\"", "not a PNG"),
        ("instances", "\"category_id\":4", "\"category_id\":5", "category 5, which is not listed"),
        ("instances", "\"size\":[120,136]", "\"size\":[136,120]", "size [136, 120]"),
        ("instances", "\"segmentation\":[[", "\"segmentation\":[[1e300,", "polygon"),
        ("instances", "\"counts\":[", "\"counts\":[9223372036854775807,", "longer than the picture"),
        ("instances", "\"counts\":[", "\"counts\":[-1,", "longer than the picture"),
        ("instances", "\"counts\":\"", "\"counts\":\"\\u007f", "damaged"),
        ("instances", "\"counts\":\"", "\"counts\":\"oooooooooooo", "damaged"),
    ])
    func badAnnotationsAreOneLine(name: String, old: String, new: String, words: String) throws {
        let message = try #require(try fault(name, old, new))
        #expect(message.contains(words) && !message.contains("not a fault") && !message.contains("\n"), "\(message)")
    }

    @Test(arguments: 0..<20)
    func truncatedAnnotationsAreOneLine(twentieth: Int) throws {
        let folder = try TemporaryFolder()
        for name in ["truth", "instances"] {
            let bytes = try Fixture.bytes("evaluate/\(name).json")
            let path = try folder.file(name + ".json", Array(bytes.prefix(bytes.count * twentieth / 20)))
            let message = faultMessage {
                if name == "truth" { _ = try CocoPanoptic(path: path, pictures: "p") } else { _ = try CocoInstances(path: path, pictures: "p") }
            }
            #expect(message?.contains("damaged JSON") == true, "\(message ?? "read")")
        }
    }
}
