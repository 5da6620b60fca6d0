import Foundation
import Imaging
import ModelFormat
import System
import TestSupport
import Testing

@testable import Text

@Suite struct VocabularyTests {
    @Test(arguments: ["demo", "four"])
    func fileHoldsWhatTheOriginalComputed(vocabulary: String) throws {
        let folder = try TemporaryFolder()
        let checkpoint = try Fixtures.checkpoint(in: folder)
        let recorded = try Fixtures.recorded()
        let list = try Fixtures.names(vocabulary)
        let path = folder.path("v.gguf")
        var fractions = [Double]()
        let summary = try VocabularyBuilder(checkpoint: checkpoint, tokenizer: Fixtures.tokenizerPath()).write(list, to: path) { fractions.append($0) }
        #expect(fractions.last == 1)
        #expect(summary.names == list.names.count && summary.prompts == 14 * list.names.count)

        let file = try Vocabulary(path: path)
        func flags(_ name: String) throws -> [Bool] { try #require(recorded.tensor("\(vocabulary).\(name)")).floats().map { $0 == 1 } }
        #expect(file.names == list.names)
        #expect(try file.categories.map(\.isSeen) == flags("seen"))
        #expect(try file.categories.map(\.isThing) == flags("thing"))
        #expect(try file.categories.map { Float($0.nameCount) } == #require(recorded.tensor("\(vocabulary).name_count")).floats())
        #expect(file.categories.map(\.name) == list.categories.map { $0.names[0] })
        #expect(file.categories.map(\.colour) == list.colours)
        #expect(file.categories.allSatisfy { $0.id == nil && file.names[$0.firstName] == $0.name })
        #expect(try file.clipFingerprint == checkpoint.clipFingerprint())
        #expect(file.embeddingWidth == 64 && file.embeddings.rows == list.names.count)
        let classifier = try #require(recorded.tensor("\(vocabulary).classifier")).floats()
        file.embeddings.withValues { values in
            for index in 0..<values.count { #expect(abs(values.base[index] - classifier[index]) < 2e-6) }
        }
        #expect(file.identity.count == 16)

        // The same input gives the same bytes; other names give another identity.
        let again = folder.path("again.gguf")
        try VocabularyBuilder(checkpoint: checkpoint, tokenizer: Fixtures.tokenizerPath()).write(list, to: again)
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(contentsOf: URL(fileURLWithPath: again)))
        try VocabularyBuilder(checkpoint: checkpoint, tokenizer: Fixtures.tokenizerPath()).write(list, training: list, to: again)
        #expect(try Vocabulary(path: again).identity != file.identity)
        #expect(try Vocabulary(path: again).categories.allSatisfy { $0.isSeen })
    }

    /// Names that are longer than CLIP reads, and different names with equal tokens.
    @Test func cutNamesAreNamed() throws {
        let folder = try TemporaryFolder()
        let builder = try VocabularyBuilder(checkpoint: Fixtures.checkpoint(in: folder), tokenizer: Fixtures.tokenizerPath())
        func warnings(_ names: [String]) throws -> [String] {
            builder.warnings(about: try NameList(Array(names.joined(separator: "\n").utf8), path: "names.txt"))
        }
        let long = String(repeating: "very ", count: 80)
        #expect(try warnings(["cat", "a small red cup"]) == [])
        let found = try warnings(["cat", long + "red", long + "blue"])
        #expect(
            found.count == 3 && found[0].hasSuffix("is cut: CLIP reads 77 tokens of a prompt")
                && found[1].hasSuffix("is cut: CLIP reads 77 tokens of a prompt"), "\(found)")
        #expect(found.last?.contains("is the same to CLIP as") == true)
        #expect(try warnings(["cat <end_of_text> dog"]).count == 1)
        // The longest name that is read completely: the templates add up to nine tokens.
        #expect(try warnings([String(repeating: "very ", count: 60) + "red"]) == [])
        #expect(try warnings(["Cat", "cat"]) == [])
    }

    @Test func idsAndColoursTravel() throws {
        let folder = try TemporaryFolder()
        let list = try NameList(Array("11:dog\n0:sky\tstuff\t#0a0b0c\ncat\n".utf8), path: "names.txt")
        let path = folder.path("v.gguf")
        try VocabularyBuilder(checkpoint: Fixtures.checkpoint(in: folder), tokenizer: Fixtures.tokenizerPath()).write(list, to: path)
        let file = try Vocabulary(path: path)
        #expect(file.categories.map(\.id) == [11, 0, nil])
        #expect(file.categories[1].colour == Colour(0x0A0B0C))
        #expect(file.categories.map(\.isThing) == [true, false, true])
    }

    // MARK: - In memory

    private func vocabulary(_ classes: [Vocabulary.Definition], rows: [[Float]]) throws(Fault) -> Vocabulary {
        let embeddings = NameEmbeddings(rows: rows.count, columns: rows.first?.count ?? 1)
        embeddings.withValues { $0.base.update(from: rows.flatMap(\.self), count: $0.count) }
        return try Vocabulary(classes, embeddings: embeddings, clipFingerprint: "0123456789abcdef")
    }

    @Test func isMadeInMemory() throws {
        let cat = Vocabulary.Definition(names: ["cat", "kitten"], isSeen: true, colour: Colour(1), id: 7)
        let sky = Vocabulary.Definition(names: ["sky"], isThing: false, colour: Colour(2))
        let found = try vocabulary([cat, sky], rows: [[1, 0], [0, 1], [0.6, 0.8]])
        #expect(found.names == ["cat", "kitten", "sky"] && found.embeddingWidth == 2 && found.clipFingerprint == "0123456789abcdef")
        #expect(found.categories.map(\.name) == ["cat", "sky"] && found.categories.map(\.firstName) == [0, 2])
        #expect(found.categories.map(\.nameCount) == [2, 1] && found.categories.map(\.id) == [7, nil])
        #expect(found.categories.map(\.isThing) == [true, false] && found.categories.map(\.isSeen) == [true, false])

        func fault(_ classes: [Vocabulary.Definition], _ rows: [[Float]]) -> String? { faultMessage { _ = try vocabulary(classes, rows: rows) } }
        #expect(fault([], [])?.contains("no classes") == true)
        #expect(fault([cat, Vocabulary.Definition(names: [], colour: Colour(3))], [[1], [1]])?.contains("class 1 has no name") == true)
        #expect(fault([cat, sky], [[1, 0], [0, 1]])?.contains("2 embeddings for 3 names") == true)
        #expect(fault([sky], [[0.5, 0.5]])?.contains("name 0 is not of length 1") == true)
        #expect(fault([sky], [[.nan, 0.5]])?.contains("name 0 is not of length 1") == true)
    }

    // MARK: - Bad files

    /// The error of a file made of these values.
    private func fault(
        architecture: String = Vocabulary.architecture, version: UInt32 = 1, names: [String] = ["cat", "kitten", "sky"], nameCounts: [UInt32] = [2, 1],
        things: [Bool] = [true, false], colours: [UInt32] = [1, 2], shape: [Int] = [3, 4], rows: [Float]? = nil, leavingOut: String? = nil
    ) throws -> String {
        let folder = try TemporaryFolder()
        let path = folder.path("bad.gguf")
        let writer = try GGUFWriter(path: path)
        let values: [(String, GGUFWriter.Value)] = [
            ("general.architecture", .string(architecture)), ("fcclip.vocabulary.version", .uint32(version)), ("fcclip.vocabulary.names", .strings(names)),
            ("fcclip.vocabulary.category.name_count", .uint32s(nameCounts)), ("fcclip.vocabulary.category.thing", .bools(things)),
            ("fcclip.vocabulary.category.seen", .bools(things)), ("fcclip.vocabulary.category.colour", .uint32s(colours)),
            ("fcclip.vocabulary.category.id", .int32s(nameCounts.map { _ in -1 })), (Vocabulary.fingerprintKey, .string("0123456789abcdef")),
        ]
        for (key, value) in values where key != leavingOut { try writer.set(key, value) }
        if leavingOut != Vocabulary.embeddingsName {
            try writer.declare(Vocabulary.embeddingsName, shape: shape, kind: .float32)
            let count = shape.reduce(1, *)
            try writer.append(Vocabulary.embeddingsName, rows ?? (0..<count).map { $0 % (shape.last ?? 1) == 0 ? 1 : 0 })
        }
        try writer.commit()
        do throws(Fault) { _ = try Vocabulary(path: path) } catch {
            #expect(error.message.hasPrefix(path) && !error.message.contains("\n"))
            return error.message
        }
        return "none"
    }

    @Test func contradictionsAreRefused() throws {
        #expect(try fault() == "none")
        #expect(try fault(architecture: "fcclip").contains("not a vocabulary"))
        #expect(try fault(version: 2).contains("version 2"))
        #expect(try fault(nameCounts: [2, 2]).contains("class 1 has 2 names, 1 are left"))
        #expect(try fault(nameCounts: [0, 3]).contains("class 0 has 0 names"))
        #expect(try fault(nameCounts: [.max, .max]).contains("class 0 has 4294967295 names"))
        #expect(try fault(nameCounts: [1, 1]).contains("1 names belong to no class"))
        #expect(try fault(nameCounts: [], things: [], colours: []).contains("empty or differ in length"))
        #expect(try fault(things: [true]).contains("empty or differ in length"))
        #expect(try fault(colours: [1, 0x1000000]).contains("impossible colour"))
        #expect(try fault(shape: [2, 4]).contains("not 3 rows"))
        #expect(try fault(shape: [12]).contains("not 3 rows"))
        #expect(try fault(rows: [1, 0, 0, 0, 1, 0, 0, 0, 0.9, 0, 0, 0]).contains("name 2 is not of length 1"))
        #expect(try fault(rows: [1, 0, 0, 0, .nan, 0, 0, 0, 1, 0, 0, 0]).contains("name 1 is not of length 1"))
        for key in ["general.architecture", "fcclip.vocabulary.names", "fcclip.vocabulary.category.seen", Vocabulary.fingerprintKey, Vocabulary.embeddingsName]
        {
            #expect(try fault(leavingOut: key).contains(key), "\(key)")
        }
    }

    /// Every truncation and every flipped bit in a file ends in a fault; nothing in the file is unchecked.
    @Test func damageIsNoticed() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("v.gguf")
        let list = try NameList(Array("cat\nsky\tstuff\n".utf8), path: "names.txt")
        try VocabularyBuilder(checkpoint: Fixtures.checkpoint(in: folder), tokenizer: Fixtures.tokenizerPath()).write(list, to: path)
        let whole = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        let damaged = folder.path("damaged.gguf")
        for length in stride(from: 0, to: whole.count, by: 131) {
            try Data(whole[..<length]).write(to: URL(fileURLWithPath: damaged))
            #expect(throws: Fault.self, "cut to \(length) bytes") { try Vocabulary(path: damaged) }
        }
        for offset in stride(from: 0, to: whole.count, by: 37) {
            var bytes = whole
            bytes[offset] ^= UInt8(1 << (offset % 8))
            try Data(bytes).write(to: URL(fileURLWithPath: damaged))
            #expect(throws: Fault.self, "bit flipped at byte \(offset)") { try Vocabulary(path: damaged) }
        }
    }

    @Test func nothingAppearsWhereItCannotBeWritten() throws {
        let folder = try TemporaryFolder()
        let builder = try VocabularyBuilder(checkpoint: Fixtures.checkpoint(in: folder), tokenizer: Fixtures.tokenizerPath())
        let path = folder.path("missing/v.gguf")
        let fault = #expect(throws: Fault.self) { try builder.write(.cocoPanoptic, to: path) }
        #expect(try #require(fault).message.hasPrefix(path))
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
