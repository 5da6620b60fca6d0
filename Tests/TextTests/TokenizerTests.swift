import Foundation
import System
import Testing

@testable import Text

@Suite struct TokenizerTests {
    /// Token ids recorded from open_clip's tokenizer for 3,102 strings: all names of FC-CLIP's vocabularies, and difficult ones.
    static let recorded: [(text: String, ids: [Int32])] = {
        let data = try! Data(contentsOf: Fixtures.folder.appendingPathComponent("tokens.json"))
        let object = try! JSONSerialization.jsonObject(with: data) as! [String: [Int32]]
        return object.map { ($0.key, $0.value) }
    }()

    @Test func everyRecordedStringHasItsIds() throws {
        let tokenizer = try Fixtures.tokenizer()
        #expect(Self.recorded.count == 3_102)
        for (text, ids) in Self.recorded {
            #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
        }
    }

    @Test func huggingFaceFilesGiveTheSameIds() throws {
        for asPairs in [false, true] {
            let folder = try TemporaryFolder()
            let path = folder.path("tokenizer.json")
            try Fixtures.huggingFaceTokenizer(asPairs: asPairs).write(to: URL(fileURLWithPath: path))
            let tokenizer = try Tokenizer(path: path)
            for (text, ids) in Self.recorded {
                #expect(tokenizer.encode(text) == ids, "\(text.debugDescription)")
            }
        }
    }

    @Test func plainMergesFileGivesTheSameIds() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("merges.txt")
        try Data(Fixtures.merges()).write(to: URL(fileURLWithPath: path))
        let tokenizer = try Tokenizer(path: path)
        #expect(tokenizer.encode("a photo of a cat.") == [49406, 320, 1125, 539, 320, 2368, 269, 49407])
    }

    /// The demo's own merges; ids as `Calibration/DemoModel/tokenizer.py` gives them.
    @Test func ofAnotherCLIPHasItsOwnTokens() throws {
        let path = Fixtures.root.appendingPathComponent("Calibration/DemoModel/merges.txt").path
        let tokenizer = try Tokenizer(path: path, tokenCount: 802)
        #expect(tokenizer.encode("a photo of a purple star.") == [800, 320, 518, 514, 320, 604, 789, 269, 801])
        #expect(tokenizer.encode("Zebra") == [800, 89, 68, 65, 81, 320, 801])
        #expect(throws: Fault.self) { try Tokenizer(path: path, tokenCount: 803) }
        #expect(throws: Fault.self) { try Tokenizer(path: path, tokenCount: 513) }
    }

    /// Expected values: ftfy 6.3.1, html.unescape twice, strip, collapse, lower, as open_clip runs them.
    @Test(arguments: [
        ("caf\u{C3}\u{A9}", "café"), ("it\u{E2}\u{20AC}\u{2122}s", "it's"), ("wei\u{DF}\u{2026}", "weiß…"), ("\u{C5}\u{201C}uvre", "œuvre"),
        ("na\u{C3}\u{192}\u{C2}\u{AF}ve", "naïve"),
        ("\u{FF23}\u{FF21}\u{FF34}\u{3000}\u{FF8A}\u{FF9E}", "cat バ"), ("\u{FB05}and", "ſtand"), ("\u{1C4}ep", "džep"),
        ("\u{201C}x\u{201D} \u{2018}y\u{2019}", "\"x\" 'y'"),
        ("P&EACUTE;REZ", "pérez"), ("a &lt; b", "a < b"), ("<b> &eacute", "<b> é"), ("&#8217;&#x41;&#150;&#0;", "'a–\u{FFFD}"), ("this&not that", "this¬ that"),
        ("tom &amp;amp; jerry", "tom & jerry"), ("a\u{1B}[31mred\u{1B}[0m\u{7}", "ared"), ("ΟΔΟΣ ΣΑΣ Σ", "οδος σας σ"), ("e\u{301}", "é"),
        ("a\r\nb\u{2028}c", "a b c"),
        ("x\u{85}y", "x…y"), ("\u{FEFF}bom", "bom"), ("&lang;&rang;", "⟨⟩"), ("&;&#;&#x;&nosuch;", "&;&#;&#x;&nosuch;"), ("&notit;", "¬it;"),
    ])
    func cleansLikeUpstream(text: String, expected: String) {
        #expect(TextCleaning.text(TextCleaning.clean(text)).unicodeScalars.elementsEqual(expected.unicodeScalars))
    }

    // MARK: - Bad files

    @Test func badFilesGetOneLine() throws {
        let folder = try TemporaryFolder()
        func fault(_ name: String, _ content: [UInt8]) throws -> String {
            let path = folder.path(name)
            try Data(content).write(to: URL(fileURLWithPath: path))
            let fault = #expect(throws: Fault.self) { try Tokenizer(path: path) }
            let message = try #require(fault).message
            #expect(message.hasPrefix(path) && !message.contains("\n"))
            return message
        }
        let compressed = try [UInt8](Data(contentsOf: URL(fileURLWithPath: Fixtures.tokenizerPath())))
        let lines = try String(decoding: Fixtures.merges(), as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)

        #expect(try fault("cut.txt.gz", Array(compressed.prefix(compressed.count / 2))).contains("cut off"))
        var flipped = compressed
        flipped[flipped.count / 2] ^= 0x55
        #expect(try fault("flipped.txt.gz", flipped).contains("damaged"))
        #expect(try fault("empty.txt", []).contains("0 merges"))
        #expect(try fault("binary.txt", [0xFF, 0xFE, 0x00, 0x80]).contains("not UTF-8"))
        #expect(try fault("few.txt", Array(lines.prefix(101).joined(separator: "\n").utf8)).contains("holds 100 merges"))
        #expect(try fault("words.txt", Array("header\none two three\n".utf8)).contains("words.txt:2:"))
        #expect(try fault("unknown.txt", Array((["v"] + Array(repeating: "ab cd", count: 48_894)).joined(separator: "\n").utf8)).contains("merge 1 "))
        #expect(try fault("cut.json", Array("{\"model\": {\"merges\": [".utf8)).contains("not valid JSON"))
        #expect(try fault("none.json", Array("{\"model\": {\"vocab\": {}}}".utf8)).contains("no model.merges"))
        #expect(try fault("shape.json", Array("{\"model\": {\"vocab\": {}, \"merges\": [[\"a\"]]}}".utf8)).contains("model.merges[0]"))
        #expect(try fault("other.json", Array("{\"model\": {\"vocab\": {\"ab\": 7}, \"merges\": [\"a b\"]}}".utf8)).contains("the id 512"))
    }

    @Test func absentFileGetsOneLine() throws {
        let fault = #expect(throws: Fault.self) { try Tokenizer(path: "/nonexistent/merges.txt") }
        #expect(try #require(fault).message == "/nonexistent/merges.txt: No such file or directory")
    }

    @Test func gzipThatUnpacksToTooMuchIsRefused() throws {
        let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: Fixtures.tokenizerPath())))
        let fault = bytes.withUnsafeBytes { bytes in
            #expect(throws: Fault.self) { try Gzip.inflate(bytes, path: "x", limit: 1_000_000) }
        }
        #expect(try #require(fault).message.contains("more than 1000000 bytes"))
    }
}
