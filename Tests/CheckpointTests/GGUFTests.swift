import Foundation
import Kernels
import ModelFormat
import System
import TestSupport
import Testing

@Suite struct GGUFTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// A small file with a value and a tensor of many kinds.
    private func sample(_ name: String = "sample.gguf", alignment: Int = 32) throws -> String {
        let path = folder.path(name)
        let writer = try GGUFWriter(path: path, alignment: alignment)
        try writer.set("text", .string("naïve ✓"))
        try writer.set("flag", .bool(true))
        try writer.set("u32", .uint32(4_000_000_000))
        try writer.set("i32", .int32(-7))
        try writer.set("u64", .uint64(.max))
        try writer.set("f32", .float32(1.5))
        try writer.set("texts", .strings(["", "a", "bc"]))
        try writer.set("flags", .bools([true, false]))
        try writer.set("u32s", .uint32s([1, 2]))
        try writer.set("i32s", .int32s([-1, 0, 1]))
        try writer.set("u64s", .uint64s([]))
        try writer.set("f32s", .float32s([0.25, -2]))
        try writer.declare("weight", shape: [2, 3], kind: .float32)
        try writer.declare("scale", shape: [5], kind: .int8)
        try writer.declare("bias", shape: [1, 1, 1, 2], kind: .int32)
        try writer.append("weight", [1, 2, 3, 4, 5, 6] as [Float])
        try writer.append("scale", [1, -2, 3, -4, 5] as [Int8])
        try writer.append("bias", [7, 8] as [Int32])
        try writer.commit()
        return path
    }

    private func read(_ bytes: [UInt8]) throws -> GGUF {
        try GGUF(path: folder.file("case.gguf", bytes))
    }

    /// Opens the bytes and reads everything, as `inspect` does. - Returns: the fault; nil when there is none.
    private func fault(_ bytes: [UInt8]) throws -> String? {
        let path = try folder.file("case.gguf", bytes)
        return faultMessage {
            let file = try GGUF(path: path)
            try file.requireChecksums()
            for key in file.keys { _ = try file.describe(key) }
            for tensor in file.tensors { try file.verify(tensor) }
        }
    }

    private func elements<Element>(_ tensor: GGUF.Tensor, of file: GGUF, as type: Element.Type) throws -> [Element] {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: tensor.byteCount, alignment: 8)
        defer { bytes.deallocate() }
        try file.read(tensor, into: bytes)
        return Array(bytes.bindMemory(to: type))
    }

    /// Heads longer than the first read; the file changes afterwards, and later reads are faults.
    @Test func longHeadsAndFilesThatChange() throws {
        let path = folder.path("long.gguf")
        let names = (0..<60_000).map { "a name of some length, number \($0)" }
        let writer = try GGUFWriter(path: path)
        try writer.set("names", .strings(names))
        try writer.declare("weight", shape: [3 << 20], kind: .int8)
        try writer.append("weight", [UInt8](repeating: 7, count: 3 << 20))
        try writer.commit()
        let file = try GGUF(path: path)
        let weight = try file.tensor("weight")
        #expect(try file.strings("names") == names)
        try file.verify(weight)
        let stream = try #require(fopen(path, "r+b"))
        fseek(stream, file.size - 5, SEEK_SET)
        fputc(8, stream)
        fclose(stream)
        #expect(faultMessage { try file.verify(weight) }?.hasSuffix("weight is damaged: its checksum does not match") == true)
        #expect(truncate(path, file.size - (2 << 20)) == 0)
        #expect(faultMessage { try file.verify(weight) }?.hasSuffix("it was shortened while it was read") == true)
        #expect(faultMessage { _ = try self.elements(weight, of: file, as: Int8.self) }?.hasSuffix("it was shortened while it was read") == true)
        // Values that were read before are unchanged.
        #expect(try file.strings("names") == names)
    }

    @Test(arguments: [8, 32, 64]) func readsWhatWasWritten(alignment: Int) throws {
        let file = try GGUF(path: sample(alignment: alignment))
        #expect(try file.string("text") == "naïve ✓")
        #expect(try file.bool("flag"))
        #expect(try file.integer("u32") == 4_000_000_000)
        #expect(try file.integer("i32") == -7)
        #expect(try file.float("f32") == 1.5)
        #expect(try file.strings("texts") == ["", "a", "bc"])
        #expect(try file.bools("flags") == [true, false])
        #expect(try file.integers("u32s") == [1, 2])
        #expect(try file.integers("i32s") == [-1, 0, 1])
        #expect(try file.integers("u64s") == [])
        #expect(try file.floats("f32s") == [0.25, -2])
        #expect(try file.describe("texts") == #"["", "a", "bc"]"#)
        #expect(try file.describe("u64") == "18446744073709551615")
        #expect(try file.describe("i32s", limit: 2) == "[-1, 0, ... (3 in all)]")
        #expect(file.alignment == alignment)

        try file.requireChecksums()
        #expect(file.tensors.map(\.name) == ["weight", "scale", "bias"])
        let weight = try file.tensor("weight")
        #expect(weight.shape == [2, 3] && weight.kind == .float32 && weight.count == 6)
        #expect(try elements(weight, of: file, as: Float.self) == [1, 2, 3, 4, 5, 6])
        #expect(try elements(try file.tensor("scale"), of: file, as: Int8.self) == [1, -2, 3, -4, 5])
        #expect(try file.tensor("bias").shape == [1, 1, 1, 2])
        for tensor in file.tensors { try file.verify(tensor) }
        #expect(file.tensorIfPresent("none") == nil)
    }

    @Test func faultsNameFileAndKey() throws {
        let path = try sample()
        let file = try GGUF(path: path)
        #expect(faultMessage { _ = try file.string("absent") } == "\(path): has no key absent")
        #expect(faultMessage { _ = try file.string("i32") } == "\(path): key i32 is i32, expected string")
        #expect(faultMessage { _ = try file.integer("f32") } == "\(path): key f32 is f32, expected an integer")
        #expect(faultMessage { _ = try file.integer("texts") } == "\(path): key texts is an array of string, expected an integer")
        #expect(faultMessage { _ = try file.integers("u32") } == "\(path): key u32 is u32, expected array")
        #expect(faultMessage { _ = try file.integer("u64") } == "\(path): key u64: 18446744073709551615 is too large")
        #expect(faultMessage { _ = try file.tensor("absent") } == "\(path): has no tensor absent")
    }

    /// PyPI's `gguf` is the ecosystem's reader; `Tests/setup` installs it.
    @Test func opensWithPyPIsReader() throws {
        let script = """
            import sys
            try:
                import gguf
            except ImportError:
                sys.exit("python3 has no module gguf: pip install gguf")
            reader = gguf.GGUFReader(sys.argv[1])
            for key in ("text", "flag", "i32", "f32", "texts", "i32s"):
                print(key, reader.get_field(key).contents())
            for tensor in reader.tensors:
                print(tensor.name, tensor.tensor_type.name, tensor.data.tolist())
            """
        let process = Process()
        let output = Pipe()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, try sample()]
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(complaint)")
        #expect(
            text == """
                text naïve ✓
                flag True
                i32 -7
                f32 1.5
                texts ['', 'a', 'bc']
                i32s [-1, 0, 1]
                weight F32 [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
                scale I8 [1, -2, 3, -4, 5]
                bias I32 [[[[7, 8]]]]

                """)
    }

    @Test func everyTruncationIsDetected() throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: sample())))
        for count in bytes.indices {
            let message = try fault(Array(bytes[..<count]))
            #expect(message != nil && !message!.contains("\n"), "\(count) bytes")
        }
        #expect(try fault(bytes + [0]) != nil)
        #expect(try fault(bytes) == nil)
    }

    @Test func everyFlippedBitIsDetected() throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: sample())))
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(try fault(damaged) != nil, "bit \(bit)")
        }
    }

    @Test func checksumsAreRequiredOnRequest() throws {
        var builder = GGUFBuilder()
        builder.tensors = [.init("a", [2], offset: 0)]
        builder.data = [UInt8](repeating: 0, count: 8)
        let file = try read(builder.bytes())
        #expect(faultMessage { try file.requireChecksums() }?.contains("no checksums") == true)
        #expect(faultMessage { try file.verify(file.tensors[0]) }?.contains("no checksums") == true)
    }

    // MARK: - Hostile files

    private typealias Build = GGUFBuilder

    /// The defect, the code that makes it, and the fault's message.
    private static let hostile: [(String, String, @Sendable (inout GGUFBuilder) -> Void)] = [
        ("magic", "not a GGUF file", { $0.magic = "GGML" }),
        ("version 2", "version 2", { $0.version = 2 }),
        ("version 4", "version 4", { $0.version = 4 }),
        ("big-endian version", "version 50331648", { $0.version = UInt32(3).byteSwapped }),
        ("tensor count 2^60", "elements", { $0.tensorCount = 1 << 60 }),
        ("tensor count 2^64 - 1", "elements", { $0.tensorCount = .max }),
        ("key count 2^60", "elements", { $0.entryCount = 1 << 60 }),
        ("one key too many", "corrupt", { $0.entryCount = UInt64($0.entries.count + 1) }),
        (
            "a million keys", "at most",
            {
                $0.entryCount = 1_000_000
                $0.data = [UInt8](repeating: 0, count: 20_000_000)
            }
        ),
        ("key twice", "occurs twice", { $0.entries += [$0.entries[0]] }),
        ("empty key", "name of 0 bytes", { $0.entries[0].key = "" }),
        ("long key", "name of 65536 bytes", { $0.entries[0].key = String(repeating: "k", count: 65536) }),
        ("value of unknown type", "unknown type 13", { $0.entries[0].value = Build.value(13, [0]) }),
        ("truth value 2", "truth value", { $0.entries[0].value = Build.value(7, [2]) }),
        ("string of 2^63 bytes", "elements", { $0.entries[0].value = .little([UInt32(8)]) + .little([UInt64(1) << 63]) }),
        ("string that is not UTF-8", "not UTF-8", { $0.entries[0].value = .little([UInt32(8)]) + .little([UInt64(2)]) + [0xc3, 0x28] }),
        ("array of 2^62 u64", "elements", { $0.entries[0].value = Build.array(10, count: 1 << 62, []) }),
        ("array of 2^61 arrays", "elements", { $0.entries[0].value = Build.array(9, count: 1 << 61, []) }),
        ("array of unknown type", "unknown type 99", { $0.entries[0].value = Build.array(99, count: 0, []) }),
        (
            "arrays nested a thousand deep", "too deeply",
            { builder in
                builder.entries[0].value = Build.array(9, count: 1, (0..<1000).flatMap { _ in [UInt8].little([UInt32(9)]) + .little([UInt64(1)]) })
            }
        ),
        ("alignment 0", "power of two", { $0.entries.append(("general.alignment", Build.value(4, .little([UInt32(0)])))) }),
        ("alignment 48", "power of two", { $0.entries.append(("general.alignment", Build.value(4, .little([UInt32(48)])))) }),
        ("alignment 2^31", "power of two", { $0.entries.append(("general.alignment", Build.value(4, .little([UInt32(1) << 31])))) }),
        ("alignment as text", "no u32", { $0.entries.append(("general.alignment", Build.value(8, Build.string("32")))) }),
        ("tensor twice", "occurs twice", { $0.tensors[1].name = $0.tensors[0].name }),
        ("no dimensions", "0 dimensions", { $0.tensors[0].dimensions = [] }),
        ("five dimensions", "5 dimensions", { $0.tensors[0].dimensions = [1, 1, 1, 1, 1] }),
        ("dimension 0", "dimension of 0", { $0.tensors[0].dimensions = [0, 4] }),
        ("dimension 2^64 - 1", "dimension of", { $0.tensors[0].dimensions = [.max] }),
        ("dimension 2^63 - 1", "impossibly large", { $0.tensors[0].dimensions = [UInt64(Int.max)] }),
        ("dimensions whose product overflows", "dimension of", { $0.tensors[0].dimensions = [1 << 32, 1 << 32] }),
        ("quantized type", "GGML type 2", { $0.tensors[0].kind = 2 }),
        ("unknown type", "GGML type 4294967295", { $0.tensors[0].kind = .max }),
        ("offset beyond the end", "beyond the file's end", { $0.tensors[1].offset = 1 << 20 }),
        ("offset 2^64 - 32", "beyond the file's end", { $0.tensors[1].offset = 0 &- 32 }),
        ("tensor one element too long", "beyond the file's end", { $0.tensors[1].dimensions = [9] }),
        (
            "unaligned tensor", "not aligned",
            {
                $0.tensors[1].offset = 8
                $0.tensors[1].dimensions = [1]
            }
        ),
        ("overlapping tensors", "overlap", { $0.tensors[1].offset = 0 }),
        (
            "no data section", "truncated",
            {
                $0.data = []
                $0.tensors = [.init("a", [1], offset: 0)]
            }
        ),
    ]

    private func valid() -> GGUFBuilder {
        var builder = GGUFBuilder()
        builder.entries = [("key", GGUFBuilder.value(4, .little([UInt32(1)])))]
        builder.tensors = [.init("a", [8], offset: 0), .init("b", [8], offset: 32)]
        builder.data = [UInt8](repeating: 1, count: 64)
        return builder
    }

    @Test func theUnspoiledFileIsRead() throws {
        #expect(try read(valid().bytes()).tensors.count == 2)
    }

    @Test(arguments: hostile.indices) func hostileFilesAreRefused(index: Int) throws {
        let (what, expected, spoil) = Self.hostile[index]
        var builder = valid()
        spoil(&builder)
        let path = try folder.file("hostile.gguf", builder.bytes())
        let message = faultMessage { _ = try GGUF(path: path) }
        #expect(message?.hasPrefix(path) == true && message?.contains(expected) == true, "\(what): \(message ?? "read")")
        #expect((message?.utf8.count ?? 0) < path.utf8.count + 400, "\(what)")
    }

    // MARK: - Writer

    @Test func theWriterRefusesWhatItCannotKeep() throws {
        let writer = try GGUFWriter(path: folder.path("refused.gguf"))
        try writer.set("a", .int32(1))
        #expect(faultMessage { try writer.set("a", .int32(2)) } != nil)
        #expect(faultMessage { try writer.set(GGUF.headerChecksum, .uint64(2)) } != nil)
        try writer.declare("t", shape: [2], kind: .float32)
        try writer.declare("u", shape: [1], kind: .int8)
        #expect(faultMessage { try writer.declare("t", shape: [2], kind: .int8) } != nil)
        #expect(faultMessage { try writer.declare("v", shape: [], kind: .int8) } != nil)
        #expect(faultMessage { try writer.declare("v", shape: [0], kind: .int8) } != nil)
        #expect(faultMessage { try writer.append("u", [1] as [Int8]) }?.contains("out of order") == true)
        #expect(faultMessage { try writer.append("t", [1] as [Float]) }?.contains("8 announced") == true)
        try writer.append("t", [1, 2] as [Float])
        #expect(faultMessage { try writer.set("late", .int32(1)) } != nil)
        #expect(faultMessage { try writer.commit() }?.contains("u was announced") == true)
        #expect(try folder.contents().allSatisfy { $0.contains(".part") })
    }

    @Test func nothingAppearsBeforeCommit() throws {
        do {
            let writer = try GGUFWriter(path: folder.path("abandoned.gguf"))
            try writer.declare("t", shape: [1], kind: .int8)
            try writer.append("t", [1] as [Int8])
        }
        #expect(try folder.contents().isEmpty)
        #expect(faultMessage { _ = try GGUFWriter(path: folder.path("no/such/folder.gguf")) }?.contains("cannot be written") == true)
    }

    @Test func aFileWithoutTensorsIsWhole() throws {
        let writer = try GGUFWriter(path: folder.path("empty.gguf"))
        try writer.set("a", .string("b"))
        try writer.commit()
        let file = try GGUF(path: folder.path("empty.gguf"))
        try file.requireChecksums()
        #expect(try file.string("a") == "b" && file.tensors.isEmpty)
    }
}
