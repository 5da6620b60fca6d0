import Checkpoint
import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct SafeTensorsTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private typealias Build = SafeTensorsBuilder

    private static let data: [UInt8] = .little([1, 2, 3, 4, 5, 6] as [Float]) + .little([7, 8] as [Int64])
    private static let header =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        + Build.entry("ids", "I64", [2], 24, 40) + "," + Build.entry("weight", "F32", [2, 3], 0, 24) + "}"

    private func fault(_ bytes: [UInt8]) throws -> String? {
        let path = try folder.file("case.safetensors", bytes)
        let message = faultMessage { _ = try Contents(path: path) }
        #expect(message?.hasPrefix(path) != false && message?.contains("\n") != true)
        return message
    }

    @Test func readsTensors() throws {
        let file = try TensorFile.open(path: folder.file("a", Build.bytes(Self.header + "   ", data: Self.data)))
        #expect(file.names == ["weight", "ids"])
        #expect(file.tensor("weight")?.shape == [2, 3])
        #expect(file.tensor("weight")?.floats() == [1, 2, 3, 4, 5, 6])
        #expect(file.tensor("weight")?.withFloats { Array($0) } == [1, 2, 3, 4, 5, 6])
        #expect(file.tensor("ids")?.floats() == [7, 8])
    }

    @Test func readsEveryKindAtOddPositions() throws {
        // One byte first, so that nothing after it is aligned.
        let kinds: [(String, [UInt8])] = [
            ("U8", [3]), ("F32", .little([3] as [Float])), ("F16", [0x00, 0x42]), ("BF16", [0x40, 0x40]), ("F64", .little([3] as [Double])),
            ("I64", .little([3] as [Int64])), ("I32", .little([3] as [Int32])), ("I16", .little([3] as [Int16])), ("I8", [3]), ("BOOL", [1]),
        ]
        var entries: [String] = []
        var data: [UInt8] = []
        for (kind, bytes) in kinds {
            entries.append(Build.entry(kind, kind, [1], data.count, data.count + bytes.count))
            data += bytes
        }
        let file = try TensorFile.open(path: folder.file("a", Build.bytes("{" + entries.joined(separator: ",") + "}", data: data)))
        for (kind, _) in kinds {
            #expect(file.tensor(kind)?.floats() == [kind == "BOOL" ? 1 : 3], "\(kind)")
            #expect(file.tensor(kind)?.withFloats { $0[0] } == (kind == "BOOL" ? 1 : 3), "\(kind)")
        }
    }

    @Test func everyTruncationIsDetected() throws {
        let bytes = Build.bytes(Self.header, data: Self.data)
        for count in bytes.indices { #expect(try fault(Array(bytes[..<count])) != nil, "\(count) bytes") }
        #expect(try fault(bytes) == nil)
        #expect(try fault(bytes + [0])?.contains("belong to none") == true)
    }

    /// The format has no checksum: damage to names and data is not detected, but has no other effect.
    @Test func flippedBitsNeverCrash() throws {
        let bytes = Build.bytes(Self.header, data: Self.data)
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(try fault(damaged)?.hasPrefix("not a fault") != true)
        }
    }

    private static let hostile: [(String, String, [UInt8])] = [
        ("header of 2^63 bytes", "header of 9223372036854775808 bytes", Build.bytes(header, data: data, length: 1 << 63)),
        ("header of 2^64 - 1 bytes", "header of", Build.bytes(header, data: data, length: .max)),
        ("header longer than the file", "truncated", Build.bytes(header, data: data, length: 1 << 20)),
        ("header cut off", "no JSON object", Build.bytes(header, data: data, length: 40)),
        ("no object", "no JSON object", Build.bytes("{]", data: [])),
        ("a number for a tensor", "no JSON object", Build.bytes("{\"a\":1}", data: [])),
        ("offsets as text", "no JSON object", Build.bytes("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[\"0\",\"1\"]}}", data: [0])),
        ("fractional offset", "no JSON object", Build.bytes("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1.5]}}", data: [0])),
        ("offset 2^64", "no JSON object", Build.bytes("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,18446744073709551616]}}", data: [0])),
        ("nested 100,000 deep", "no JSON object", Build.bytes("{\"a\":" + String(repeating: "[", count: 100_000), data: [])),
        ("no tensors", "no tensors", Build.bytes("{}", data: [])),
        ("data without tensors", "belong to none", Build.bytes("{}", data: [1])),
        ("negative offset", "outside the file", Build.bytes("{" + Build.entry("a", "U8", [1], -1, 0) + "}", data: [0])),
        ("end before start", "outside the file", Build.bytes("{" + Build.entry("a", "U8", [1], 1, 0) + "}", data: [0])),
        ("end beyond the file", "outside the file", Build.bytes("{" + Build.entry("a", "U8", [2], 0, 2) + "}", data: [0])),
        ("end 2^63 - 1", "outside the file", Build.bytes("{" + Build.entry("a", "U8", [1], 0, .max) + "}", data: [0])),
        ("one offset", "outside the file", Build.bytes("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", data: [0])),
        ("overlap", "overlaps", Build.bytes("{" + Build.entry("a", "U8", [2], 0, 2) + "," + Build.entry("b", "U8", [2], 1, 3) + "}", data: [0, 0, 0])),
        (
            "the same bytes twice", "overlaps",
            Build.bytes("{" + Build.entry("a", "U8", [2], 0, 2) + "," + Build.entry("b", "U8", [2], 0, 2) + "}", data: [0, 0])
        ),
        ("gap", "gap", Build.bytes("{" + Build.entry("a", "U8", [1], 0, 1) + "," + Build.entry("b", "U8", [1], 2, 3) + "}", data: [0, 0, 0])),
        ("gap at the start", "gap", Build.bytes("{" + Build.entry("a", "U8", [1], 1, 2) + "}", data: [0, 0])),
        ("shape larger than the data", "has 4 bytes", Build.bytes("{" + Build.entry("a", "F32", [2], 0, 4) + "}", data: [0, 0, 0, 0])),
        ("shape whose product overflows", "dimension of", Build.bytes("{" + Build.entry("a", "F32", [1 << 40, 1 << 40], 0, 4) + "}", data: [0, 0, 0, 0])),
        ("negative dimensions", "dimension of -1", Build.bytes("{" + Build.entry("a", "F32", [-1, -1], 0, 4) + "}", data: [0, 0, 0, 0])),
        ("100,000 dimensions", "100000 dimensions", Build.bytes("{" + Build.entry("a", "U8", [Int](repeating: 1, count: 100_000), 0, 1) + "}", data: [0])),
        ("unknown type", "F8_E4M3", Build.bytes("{" + Build.entry("a", "F8_E4M3", [1], 0, 1) + "}", data: [0])),
    ]

    @Test(arguments: hostile.indices) func hostileHeadersAreRefused(index: Int) throws {
        let (what, expected, bytes) = Self.hostile[index]
        let message = try fault(bytes)
        #expect(message?.contains(expected) == true, "\(what): \(message ?? "read")")
    }
}
