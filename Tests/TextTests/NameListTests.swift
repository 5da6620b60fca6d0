import Board
import Runtime
import Testing
@testable import Text

@Suite struct NameListTests {
    private func list(_ text: String) throws -> NameList {
        try NameList(Array(text.utf8), path: "names.txt")
    }

    @Test func readsPlainLists() throws {
        let list = try list("\u{FEFF}# a comment\n\ncat, kitten\n7:sky,clouds\tstuff\t#0080FF\r\ndog\tthing\nwindow box (for plants)\t#102030\n")
        #expect(list.categories == [
            .init(names: ["cat", "kitten"], id: nil, isThing: true, colour: nil),
            .init(names: ["sky", "clouds"], id: 7, isThing: false, colour: Colour(red: 0, green: 128, blue: 255)),
            .init(names: ["dog"], id: nil, isThing: true, colour: nil),
            .init(names: ["window box (for plants)"], id: nil, isThing: true, colour: Colour(red: 16, green: 32, blue: 48)),
        ])
        #expect(list.names == ["cat", "kitten", "sky", "clouds", "dog", "window box (for plants)"])
    }

    @Test func readsTheOriginalsFiles() throws {
        let list = try list("0:invalid_class_id\n1:person,child,girl\n2:invalid_class_id\n3:car,cars,car\n")
        #expect(list.categories.map(\.names) == [["person", "child", "girl"], ["car", "cars", "car"]])
        #expect(list.categories.map(\.id) == [1, 3])
        // Cityscapes and Pascal VOC use id 0.
        #expect(try self.list("0:road,railroad\n1:sidewalk\n").categories.map(\.id) == [0, 1])
    }

    @Test(arguments: [
        ("", "names.txt: names no class"), ("# nothing\n\n", "names.txt: names no class"), ("0:invalid_class_id", "names.txt: names no class"),
        ("cat\ndog,,puppy", "names.txt:2: a name is empty"), ("1:", "names.txt:1: a name is empty"), ("cat,", "names.txt:1: a name is empty"),
        ("cat\n\nsky\tstuf", "names.txt:3: \"stuf\" is neither"), ("sky\t#12345", "names.txt:1: \"#12345\" is neither"), ("sky\t#+12345", "names.txt:1: "),
        ("99999999999999999999:cat", "names.txt:1: id 99999999999999999999 is too large"), ("1:cat\n1:dog", "names.txt:2: id 1 was given in line 1 already"),
    ])
    func namesTheLineOfAnError(text: String, message: String) throws {
        let fault = #expect(throws: Fault.self) { try list(text) }
        #expect(try #require(fault).message.hasPrefix(message))
    }

    @Test func refusesWhatIsNoText() throws {
        let fault = #expect(throws: Fault.self) { try NameList([0x63, 0xFF, 0xFE], path: "names.txt") }
        #expect(try #require(fault).message == "names.txt: not UTF-8 text")
        #expect(throws: Fault.self) { try NameList(path: "/nonexistent/names.txt") }
    }

    @Test func cocoPanopticIsTheTrainingSet() {
        let list = NameList.cocoPanoptic
        #expect(list.categories.count == 133)
        #expect(list.names.count == 254)
        #expect(list.categories.count { $0.isThing } == 80)
        #expect(list.seen(in: list).allSatisfy { $0 })
    }

    /// Figures of the original: 64 of ADE20K's 150 classes share a name with COCO panoptic.
    @Test func ade20kIsPartlySeen() throws {
        let list = try NameList(path: Fixtures.root.appendingPathComponent("Calibration/Vocabularies/ade20k-150.txt").path)
        #expect(list.categories.count == 150)
        #expect(list.names.count == 403)
        #expect(list.categories.count { $0.isThing } == 100)
        #expect(list.seen(in: .cocoPanoptic).count { $0 } == 64)
    }

    @Test func seenNeedsTheExactName() throws {
        let list = try list("cars\nCar\nunicorn,cat\nthe car\n")
        #expect(list.seen(in: .cocoPanoptic) == [true, false, true, false])
    }

    @Test func paletteKeepsNeighboursApart() throws {
        let colours = try list((0..<24).map { "name\($0)" }.joined(separator: "\n")).colours
        func distance(_ first: Colour, _ second: Colour) -> Int {
            abs(Int(first.red) - Int(second.red)) + abs(Int(first.green) - Int(second.green)) + abs(Int(first.blue) - Int(second.blue))
        }
        for first in colours.indices {
            for second in colours.indices where second > first {
                #expect(distance(colours[first], colours[second]) >= (second - first <= 2 ? 120 : 20))
            }
            #expect(max(colours[first].red, colours[first].green, colours[first].blue) >= 120)
        }
    }

    @Test func givenColoursStay() throws {
        let colours = try list("a\t#010203\nb\n").colours
        #expect(colours[0] == Colour(0x010203))
        #expect(colours[1] == Colour.palette(1))
    }
}
