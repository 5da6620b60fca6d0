import Imaging
import System
import TestSupport
import Testing

@testable import Text

@Suite struct NameListTests {
    private func list(_ text: String) throws -> NameList {
        try NameList(Array(text.utf8), path: "names.txt")
    }

    @Test func readsPlainLists() throws {
        let list = try list("\u{FEFF}# a comment\n\ncat, kitten\n7:sky,clouds\tstuff\t#0080FF\r\ndog\tthing\nwindow box (for plants)\t#102030\n")
        #expect(
            list.categories == [
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

    /// Line ends of all kinds, byte-order marks and blanks do not change the classes.
    @Test func readsWhatEditorsWrite() throws {
        let plain = try list("person\ntraffic light,lamp\nsky\tstuff\n").categories
        for text in [
            "person\rtraffic light,lamp\rsky\tstuff\r", "person\r\ntraffic light,lamp\r\nsky\tstuff",
            "person\u{2028}traffic light,lamp\u{2029}sky\tstuff\u{85}",
            "\u{FEFF}person\n\u{FEFF}traffic light,lamp\n\u{FEFF}sky\tstuff\n", "person\ntraffic\u{A0}light,\u{3000}lamp\n sky \t stuff \n",
            "person\ntraffic  light , lamp\nsky\t\tstuff\n",
        ] {
            #expect(try list(text).categories == plain, "\(text.debugDescription)")
            #expect(try list(text).warnings == [])
        }
        for (mark, isBig) in [([0xFF, 0xFE], false), ([0xFE, 0xFF], true)] as [([UInt8], Bool)] {
            let wide =
                mark
                + Array("person\ntraffic light,lamp\nsky\tstuff\n".utf16).flatMap {
                    isBig ? [UInt8($0 >> 8), UInt8($0 & 255)] : [UInt8($0 & 255), UInt8($0 >> 8)]
                }
            #expect(try NameList(wide, path: "names.txt").categories == plain)
            #expect(
                faultMessage { _ = try NameList(Array(wide.dropLast()), path: "names.txt") }
                    == "names.txt: UTF-16 text of \(wide.count - 1) bytes, an odd number; it was cut off")
            let unmarked = #expect(throws: Fault.self) { try NameList(Array(wide.dropFirst(2)), path: "names.txt") }
            #expect(try #require(unmarked).message.contains("UTF-16 without a byte-order mark"))
        }
        // Composed and decomposed letters are the same name.
        #expect(try list("cafe\u{301}").categories == list("caf\u{E9}").categories)
        #expect(try NameList(path: nil, typed: ["person", "traffic light,lamp", "sky\tstuff"]).categories == plain)
    }

    @Test(arguments: [
        ("bus\nb\u{200B}us", "names.txt:2: \"b\\u{200B}us\" holds an invisible character (U+200B)"), ("a\u{AD}b", "names.txt:1: \"a\\u{AD}b\" holds"),
        ("a\u{202E}b", "names.txt:1: "),
        ("a\u{1B}[2Jb", "names.txt:1: "), ("a\u{7}", "names.txt:1: "), ("a\u{200D}b", "names.txt:1: "), ("a\u{2060}", "names.txt:1: "),
        ("a\u{E000}", "names.txt:1: "),
        ("person\nsky,clouds    stuff", "names.txt:2: blanks before \"stuff\" where a tab is expected"), ("sky  thing", "names.txt:1: blanks before \"thing\""),
        ("sky #70b0ff", "names.txt:1: blanks before \"#70b0ff\""), ("sky\\tstuff", "names.txt:1: a tab is spelled out"),
        ("sky<TAB>stuff", "names.txt:1: a tab is spelled out"),
    ])
    func whatCannotBeMeantIsRefused(text: String, message: String) throws {
        let fault = #expect(throws: Fault.self) { try list(text) }
        #expect(try #require(fault).message.hasPrefix(message))
    }

    @Test func limits() throws {
        #expect(try list((0..<65534).map { "n\($0)" }.joined(separator: "\n")).categories.count == 65534)
        let many = #expect(throws: Fault.self) { try list((0..<65535).map { "n\($0)" }.joined(separator: "\n")) }
        #expect(try #require(many).message == "names.txt: 65535 classes; at most 65534 are possible")
        let long = #expect(throws: Fault.self) { try list(String(repeating: "x", count: 10_000)) }
        #expect(try #require(long).message == "names.txt:1: a name of 10000 characters; at most 1000 are read")
    }

    /// Lines that may be mistakes are read, with a warning.
    @Test func warnings() throws {
        #expect(
            try list("cat,kitten,cat\nkitchen stuff\nCat\tstuff").warnings == [
                "names.txt:2: \"kitchen stuff\" is taken for a name; for stuff, put a tab before it",
                "names.txt:3: \"Cat\" names a class in line 1 already; what is found by this name counts for one of them only",
            ])
        #expect(
            try NameList(path: nil, typed: ["bus", "bus"]).warnings == [
                "the names given:2: \"bus\" names a class in line 1 already; what is found by this name counts for one of them only"
            ])
        // Joiners are parts of some words.
        #expect(try list("\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}\u{647}\u{645}").warnings == [])
        for name in ["ade20k-150", "coco-panoptic"] {
            #expect(try NameList(path: Fixtures.root.appendingPathComponent("Calibration/Vocabularies/\(name).txt").path).warnings == [])
        }
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
