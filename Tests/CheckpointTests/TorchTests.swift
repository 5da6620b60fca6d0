import Checkpoint
import Foundation
import ModelFormat
import System
import TestSupport
import Testing

/// Names, shapes and values of a container, which must be read correctly or end in a fault.
struct Contents: Equatable {
    var tensors: [String: [Float]] = [:]
    var shapes: [String: [Int]] = [:]

    /// - Throws: as opening the file and verifying its tensors does.
    init(path: String) throws {
        let file = try TensorFile.open(path: path)
        for name in file.names {
            guard let tensor = file.tensor(name) else { continue }
            try file.verify(tensor)
            tensors[name] = tensor.floats()
            shapes[name] = tensor.shape
            tensor.release()
        }
    }
}

@Suite struct TorchTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let weight = TorchBuilder.Tensor("weight", key: "0", shape: [2, 3], [1, 2, 3, 4, 5, 6])
    private static let bias = TorchBuilder.Tensor("bias", key: "1", shape: [2], [-1, 0.5])

    private func fault(_ bytes: [UInt8]) throws -> String? {
        let path = try folder.file("case.pth", bytes)
        let message = faultMessage { _ = try Contents(path: path) }
        #expect(message?.hasPrefix(path) != false && message?.contains("\n") != true)
        return message
    }

    private func read(_ builder: TorchBuilder) throws -> TensorFile {
        try TensorFile.open(path: folder.file("case.pth", builder.bytes()))
    }

    // MARK: - Valid files

    @Test(arguments: [nil, "model", "state_dict"]) func readsTensors(wrapper: String?) throws {
        let file = try read(TorchBuilder([Self.weight, Self.bias], wrapper: wrapper))
        #expect(file.names == ["weight", "bias"])
        let weight = try #require(file.tensor("weight"))
        #expect(weight.shape == [2, 3] && weight.kind == .float32 && weight.isContiguous)
        #expect(weight.floats() == [1, 2, 3, 4, 5, 6])
        #expect(weight.withFloats { Array($0) } == [1, 2, 3, 4, 5, 6])
        #expect(file.tensor("bias")?.floats() == [-1, 0.5])
        #expect(file.tensor("none") == nil)
    }

    @Test func readsViewsOfOneStorage() throws {
        var transposed = Self.weight
        var column = Self.weight
        transposed.name = "transposed"
        transposed.shape = [3, 2]
        transposed.strides = [1, 3]
        column.name = "column"
        column.shape = [2]
        column.strides = [3]
        column.offset = 2
        let file = try read(TorchBuilder([Self.weight, transposed, column]))
        let view = try #require(file.tensor("transposed"))
        #expect(!view.isContiguous)
        #expect(view.floats() == [1, 4, 2, 5, 3, 6])
        #expect(view.withFloats { Array($0) } == [1, 4, 2, 5, 3, 6])
        #expect(file.tensor("column")?.floats() == [3, 6])
    }

    /// As `expand` makes them: dimensions of stride 0 repeat the values.
    @Test func readsExpandedTensors() throws {
        var all = Self.weight
        var rows = Self.weight
        var columns = Self.weight
        (all.name, all.shape, all.strides, all.offset) = ("all", [2, 5], [0, 0], 2)
        (rows.name, rows.shape, rows.strides) = ("rows", [4, 3], [0, 1])
        (columns.name, columns.shape, columns.strides) = ("columns", [2, 4], [3, 0])
        let file = try read(TorchBuilder([all, rows, columns]))
        #expect(file.tensor("all")?.floats() == [Float](repeating: 3, count: 10))
        #expect(file.tensor("rows")?.floats() == [1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3])
        #expect(file.tensor("columns")?.floats() == [1, 1, 1, 1, 4, 4, 4, 4])
        #expect(file.tensor("columns")?.withFloats { Array($0) } == [1, 1, 1, 1, 4, 4, 4, 4])
    }

    @Test func readsScalarsAndEmptyTensors() throws {
        let file = try read(
            TorchBuilder([
                TorchBuilder.Tensor("scalar", key: "0", shape: [], [4.5]),
                TorchBuilder.Tensor("empty", key: "1", shape: [0, 3], []),
            ]))
        #expect(file.tensor("scalar")?.shape == [] && file.tensor("scalar")?.floats() == [4.5])
        #expect(file.tensor("empty")?.floats() == [] && file.tensor("empty")?.withFloats { $0.count } == 0)
    }

    @Test func anEmptyTensorMayHaveHugeDimensions() throws {
        var empty = TorchBuilder.Tensor("empty", key: "0", shape: [0], [])
        empty.shape = [0, 2, 1 << 62]
        empty.strides = [1, 1 << 62, 1]
        let tensor = try #require(try read(TorchBuilder([empty])).tensor("empty"))
        #expect(tensor.isContiguous && tensor.floats() == [] && tensor.withFloats { $0.count } == 0)
    }

    /// Storage class, bytes of three elements, their values.
    private static let kinds: [(String, [UInt8], [Float])] = [
        ("DoubleStorage", .little([1.5, -2, 0.1] as [Double]), [1.5, -2, 0.1]),
        ("HalfStorage", .little([0x3c00, 0xc500, 0x0001] as [UInt16]), [1, -5, 0x1p-24]),
        ("HalfStorage", .little([0x7bff, 0xfc00, 0x83ff] as [UInt16]), [65504, -.infinity, -0x3ffp-24]),
        ("BFloat16Storage", .little([0x3f80, 0xc0a0, 0x4049] as [UInt16]), [1, -5, 3.140625]),
        ("LongStorage", .little([1, -2, 1 << 40] as [Int64]), [1, -2, 0x1p40]),
        ("IntStorage", .little([1, -2, 3] as [Int32]), [1, -2, 3]),
        ("ShortStorage", .little([1, -2, 3] as [Int16]), [1, -2, 3]),
        ("CharStorage", .little([1, -2, 3] as [Int8]), [1, -2, 3]),
        ("ByteStorage", [1, 254, 3], [1, 254, 3]),
        ("BoolStorage", [1, 0, 1], [1, 0, 1]),
    ]

    @Test(arguments: kinds.indices) func readsEveryKind(index: Int) throws {
        let (storage, data, values) = Self.kinds[index]
        var tensor = TorchBuilder.Tensor("t", key: "0", shape: [3], [0, 0, 0])
        tensor.storage = storage
        tensor.data = data
        #expect(try read(TorchBuilder([tensor])).tensor("t")?.floats() == values)
    }

    @Test func readsParametersAndModuleVersions() throws {
        // The additions of `torch.save(module.state_dict())`: a parameter's wrapper, and the dictionary's `_metadata`.
        var pickle = PickleBuilder()
        pickle.global("collections", "OrderedDict")
        pickle.bytes += Array(")R(".utf8)
        pickle.text("weight")
        pickle.global("torch._utils", "_rebuild_parameter")
        pickle.opcode("(")
        pickle.tensor(Self.weight)
        pickle.bytes += [0x88, 0x4e] + Array("tRu}".utf8)
        pickle.text("_metadata")
        pickle.bytes += Array("}sb.".utf8)
        var builder = TorchBuilder([Self.weight])
        builder.pickle = pickle.bytes
        #expect(try read(builder).tensor("weight")?.floats() == [1, 2, 3, 4, 5, 6])
    }

    @Test func hashesTheWholeFile() throws {
        let empty = try folder.file("case.pth", TorchBuilder([Self.weight]).bytes())
        let hash = try TensorFile.open(path: empty).contentHash()
        #expect(hash.count == 16 && hash.allSatisfy { $0.isHexDigit })
        var other = Self.weight
        other.data[0] ^= 1
        #expect(try read(TorchBuilder([other])).contentHash() != hash)
    }

    // MARK: - Damage

    private var sample: TorchBuilder {
        TorchBuilder([Self.weight, Self.bias], wrapper: "model")
    }

    @Test func everyTruncationIsDetected() throws {
        let bytes = sample.bytes()
        for count in bytes.indices { #expect(try fault(Array(bytes[..<count])) != nil, "\(count) bytes") }
        #expect(try fault(bytes) == nil)
    }

    @Test func everyFlippedBitIsDetectedOrHarmless() throws {
        let bytes = sample.bytes()
        let truth = try Contents(path: folder.file("truth.pth", bytes))
        var detected = 0
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let path = try folder.file("case.pth", damaged)
            var contents: Contents?
            if faultMessage({ contents = try Contents(path: path) }) != nil { detected += 1 } else { #expect(contents == truth, "bit \(bit)") }
        }
        #expect(detected > bytes.count * 4)
    }

    // MARK: - Hostile archives

    private static let lies: [(String, String, @Sendable (inout ZipBuilder) -> Void)] = [
        ("offset beyond the file", "not where the directory says", { $0.entries[2].offset = 0x7fff_ffff }),
        ("offset into the directory", "not where the directory says", { $0.entries[2].offset = UInt32($0.bytes().count - 60) }),
        ("offset of another entry", "not where the directory says", { $0.entries[2].offset = 0 }),
        ("size beyond the file", "not where the directory says", { $0.entries[2].size = 0x7fff_ffff }),
        ("size into the next entry", "overlap", { $0.entries[2].size = 128 }),
        ("sizes that differ", "not where the directory says", { $0.entries[2].storedSize = 8 }),
        (
            "size that the tensor contradicts", "announces 6 elements",
            {
                $0.entries[2].size = 20
                $0.entries[2].checksum = crc32(Array($0.entries[2].data[..<20]))
            }
        ),
        ("another local name", "not where the directory says", { $0.entries[2].localName = "archive/data/9" }),
        ("entry twice", "occurs twice", { $0.entries.append($0.entries[2]) }),
        ("entries that fraction their data", "not where the directory says", { $0.entries[3].offset = 0 }),
        ("compressed entry", "is compressed", { $0.entries[2].method = 8 }),
        ("encrypted entry", "is encrypted", { $0.entries[2].flags = 1 }),
        ("wrong checksum of data", "damaged", { $0.entries[2].checksum = 1 }),
        ("wrong checksum of the pickle", "damaged", { $0.entries[0].checksum = 1 }),
        ("storage missing", "is missing", { $0.entries.remove(at: 2) }),
        ("pickle missing", "no data.pkl", { $0.entries.remove(at: 0) }),
        ("two pickles", "no data.pkl", { $0.entries.append(ZipBuilder.Entry("other/data.pkl", [])) }),
        ("big-endian", "big-endian", { $0.entries[1].data = Array("big".utf8) }),
        (
            "zip64 offset 2^63", "not where the directory says",
            {
                $0.entries[2].offset = .max
                $0.entries[2].extra = .little([1, 8] as [UInt16]) + .little([UInt64(1) << 63])
            }
        ),
        (
            "zip64 size 2^64 - 1", "not where the directory says",
            {
                $0.entries[2].size = .max
                $0.entries[2].storedSize = .max
                $0.entries[2].extra = .little([1, 16] as [UInt16]) + .little([UInt64.max, .max])
            }
        ),
        (
            "zip64 field too short", "truncated or corrupt",
            {
                $0.entries[2].offset = .max
                $0.entries[2].extra = .little([1, 4] as [UInt16]) + [0, 0, 0, 0]
            }
        ),
        ("zip64 field longer than its record", "truncated or corrupt", { $0.entries[2].extra = .little([1, 0xffff] as [UInt16]) }),
        ("name that is not UTF-8", "not UTF-8", { _ in }),
    ]

    @Test(arguments: lies.indices) func lyingArchivesAreRefused(index: Int) throws {
        let (what, expected, spoil) = Self.lies[index]
        var zip = sample.zip()
        spoil(&zip)
        var bytes = zip.bytes()
        if expected == "not UTF-8" {
            while let range = bytes.firstRange(ofText: "archive/data/0") { bytes[range.lowerBound] = 0xff }
        }
        let message = try fault(bytes)
        #expect(message?.contains(expected) == true, "\(what): \(message ?? "read")")
    }

    @Test func readsZip64() throws {
        var zip = sample.zip()
        let plain = zip.bytes()
        let name = Array("archive/data/0".utf8)
        // The first occurrence of the name is in front of the data, 30 bytes after the start of its header.
        let offset = try #require(plain.firstRange(of: name)).lowerBound - 30
        zip.entries[2].size = .max
        zip.entries[2].storedSize = .max
        zip.entries[2].offset = .max
        zip.entries[2].extra = .little([1, 24] as [UInt16]) + .little([24, 24, UInt64(offset)] as [UInt64])
        var bytes = zip.bytes()
        let end = bytes.count - 22
        let count = UInt64(bytes.integer(UInt16.self, at: end + 10))
        let size = UInt64(bytes.integer(UInt32.self, at: end + 12))
        let start = UInt64(bytes.integer(UInt32.self, at: end + 16))
        var record: [UInt8] = .little([0x0606_4b50] as [UInt32]) + .little([UInt64(44)]) + .little([45, 45] as [UInt16])
        record += .little([0, 0] as [UInt32]) + .little([count, count, size, start])
        record += .little([0x0706_4b50, 0] as [UInt32]) + .little([UInt64(end)]) + .little([UInt32(1)])
        bytes.insert(contentsOf: record, at: end)
        bytes.set(UInt32.max, at: end + record.count + 16)
        #expect(try Contents(path: folder.file("case.pth", bytes)) == Contents(path: folder.file("plain.pth", plain)))

        for (what, position) in [("offset of the record", end + 56 + 8), ("entries", end + 32), ("size", end + 40), ("start", end + 48)] {
            for value in [UInt64.max, 1 << 63, 1 << 40, UInt64(bytes.count), 0] {
                var corrupt = bytes
                corrupt.set(value, at: position)
                #expect(try fault(corrupt)?.contains("not where the archive says") == true, "\(what) \(value)")
            }
        }
    }

    @Test func aCommentIsSkipped() throws {
        var zip = sample.zip()
        zip.comment = Array("PK\u{5}\u{6} and more".utf8)
        #expect(try fault(zip.bytes()) == nil)
    }

    // MARK: - Mistaken files

    @Test func mistakenFilesGetARemedy() throws {
        #expect(try fault([])?.hasSuffix(": empty") == true)
        #expect(try fault(Array("GGUF....".utf8))?.contains("original checkpoint") == true)
        #expect(try fault(Array("version https://git-lfs.github.com/spec/v1\n".utf8))?.contains("git lfs pull") == true)
        #expect(try fault(Array("<!DOCTYPE html>\n<HTML>".utf8))?.contains("web page") == true)
        #expect(try fault([0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e])?.contains("before 1.6") == true)
        #expect(try fault(Array("nothing known".utf8))?.contains("neither a PyTorch checkpoint") == true)
        let missing = folder.path("missing.pth")
        #expect(faultMessage { _ = try TensorFile.open(path: missing) } == "\(missing): No such file or directory")
        #expect(faultMessage { _ = try TensorFile.open(path: folder.path) }?.contains("not a regular file") == true)
        let pipe = folder.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        #expect(faultMessage { _ = try TensorFile.open(path: pipe) }?.contains("not a regular file") == true)
    }
}
