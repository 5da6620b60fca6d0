import Kernels
import System

extension GGUF {
    /// Type of a value; raw values are GGUF's.
    enum ValueType: UInt32 {
        case uint8 = 0
        case int8 = 1
        case uint16 = 2
        case int16 = 3
        case uint32 = 4
        case int32 = 5
        case float32 = 6
        case bool = 7
        case string = 8
        case array = 9
        case uint64 = 10
        case int64 = 11
        case float64 = 12

        /// The fewest bytes that a value of the type occupies; all of them for numbers.
        var size: Int {
            switch self {
            case .uint8, .int8, .bool: 1
            case .uint16, .int16: 2
            case .uint32, .int32, .float32: 4
            case .uint64, .int64, .float64, .string: 8
            case .array: 12
            }
        }

        var name: String {
            switch self {
            case .uint8: "u8"
            case .int8: "i8"
            case .uint16: "u16"
            case .int16: "i16"
            case .uint32: "u32"
            case .int32: "i32"
            case .float32: "f32"
            case .bool: "bool"
            case .string: "string"
            case .array: "array"
            case .uint64: "u64"
            case .int64: "i64"
            case .float64: "f64"
            }
        }
    }

    /// Where a checked value lies in the file.
    struct Entry {
        let key: String
        let type: ValueType
        /// Of an array: the type of its elements. Otherwise `type`.
        let element: ValueType
        /// Elements of an array; 1 otherwise.
        let count: Int
        /// Of the value's (or the first element's) first byte.
        let offset: Int
    }

    /// What precedes the data section, parsed and checked against the file's size.
    struct Header {
        private(set) var entries: [Entry] = []
        private(set) var entryIndex: [String: Int] = [:]
        private(set) var tensors: [Tensor] = []
        private(set) var tensorIndex: [String: Int] = [:]
        private(set) var alignment = 32
        /// Start of the data section; the file's end where there is no tensor.
        private(set) var end = 0

        /// Deeper nesting of arrays is not in use.
        private static let deepestArray = 4
        private static let longestName = 65535
        private static let mostRecords = 65536

        /// - Parameters:
        ///   - bytes: the file's first, `fileSize` or fewer; with fewer, a fault may mean that more are needed.
        init(_ bytes: UnsafeRawBufferPointer, path: String, fileSize: Int) throws(Fault) {
            var reader = ByteReader(bytes, path: path)
            guard bytes.starts(with: [0x47, 0x47, 0x55, 0x46]) else { throw Fault("\(path): not a GGUF file") }
            _ = try reader.take(4)
            let version = try reader.integer(UInt32.self)
            guard version == 3 else { throw Fault("\(path): GGUF version \(version); only version 3, little-endian, is read") }
            // A tensor's record has at least a name's length, a dimension's count, a dimension, a type and an offset.
            let tensorCount = try reader.count(ofSize: 32)
            let entryCount = try reader.count(ofSize: 13)

            guard tensorCount <= Self.mostRecords, entryCount <= Self.mostRecords else {
                throw Fault("\(path): \(tensorCount) tensors and \(entryCount) keys; at most \(Self.mostRecords) are read")
            }
            for index in 0..<entryCount {
                let entry = try Self.entry(&reader)
                guard entryIndex.updateValue(index, forKey: entry.key) == nil else {
                    throw Fault("\(path): key \(abbreviated(entry.key)) occurs twice")
                }
                if entry.key == "general.alignment" {
                    guard entry.type == .uint32 else { throw Fault("\(path): general.alignment is no u32") }
                    let value = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: entry.offset, as: UInt32.self)))
                    guard value >= 8, value <= 65536, value & (value - 1) == 0 else {
                        throw Fault("\(path): general.alignment \(value) is no power of two from 8 to 65536")
                    }
                    alignment = value
                }
                entries.append(entry)
            }
            try readTensors(tensorCount, fileSize, &reader)
        }

        // MARK: - Values

        private static func entry(_ reader: inout ByteReader) throws(Fault) -> Entry {
            let key = try name(&reader)
            let type = try valueType(&reader, key)
            guard type == .array else {
                let offset = reader.offset
                try skip(type, 1, key, depth: 0, &reader)
                return Entry(key: key, type: type, element: type, count: 1, offset: offset)
            }
            let (element, count) = try arrayHead(key, &reader)
            let offset = reader.offset
            try skip(element, count, key, depth: 1, &reader)
            return Entry(key: key, type: .array, element: element, count: count, offset: offset)
        }

        private static func name(_ reader: inout ByteReader) throws(Fault) -> String {
            let start = reader.offset
            let length = try reader.count(ofSize: 1)
            guard length > 0, length <= longestName else {
                throw Fault("\(reader.path): corrupt at byte \(start): a name of \(length) bytes")
            }
            return try reader.text(length)
        }

        private static func valueType(_ reader: inout ByteReader, _ key: String) throws(Fault) -> ValueType {
            let raw = try reader.integer(UInt32.self)
            guard let type = ValueType(rawValue: raw) else {
                throw Fault("\(reader.path): key \(abbreviated(key)) has unknown type \(raw)")
            }
            return type
        }

        private static func arrayHead(_ key: String, _ reader: inout ByteReader) throws(Fault) -> (ValueType, Int) {
            let element = try valueType(&reader, key)
            return (element, try reader.count(ofSize: element.size))
        }

        /// Skips `count` values, checking those whose size does not prove them valid.
        private static func skip(_ type: ValueType, _ count: Int, _ key: String, depth: Int, _ reader: inout ByteReader) throws(Fault) {
            switch type {
            case .string:
                for _ in 0..<count { _ = try reader.text(try reader.count(ofSize: 1)) }
            case .array:
                guard depth < deepestArray else { throw Fault("\(reader.path): key \(abbreviated(key)) nests arrays too deeply") }
                for _ in 0..<count {
                    let (element, inner) = try arrayHead(key, &reader)
                    try skip(element, inner, key, depth: depth + 1, &reader)
                }
            case .bool:
                guard try reader.take(count).allSatisfy({ $0 < 2 }) else {
                    throw Fault("\(reader.path): key \(abbreviated(key)) holds a truth value other than 0 and 1")
                }
            default:
                // Arrays were checked to fit, so the product cannot overflow.
                _ = try reader.take(count * type.size)
            }
        }

        // MARK: - Tensors

        private mutating func readTensors(_ count: Int, _ fileSize: Int, _ reader: inout ByteReader) throws(Fault) {
            let path = reader.path
            var records: [(name: String, shape: [Int], kind: Kind, size: Int, offset: UInt64)] = []
            for index in 0..<count {
                let name = try Self.name(&reader)
                guard tensorIndex.updateValue(index, forKey: name) == nil else {
                    throw Fault("\(path): tensor \(abbreviated(name)) occurs twice")
                }
                let rank = try reader.integer(UInt32.self)
                guard (1...4).contains(rank) else { throw Fault("\(path): tensor \(abbreviated(name)) has \(rank) dimensions; 1 to 4 are read") }
                var shape: [Int] = []
                var elements = 1
                for _ in 0..<rank {
                    let length = try reader.integer(UInt64.self)
                    let product = elements.multipliedReportingOverflow(by: Int(clamping: length))
                    guard length > 0, let exact = Int(exactly: length), !product.overflow else {
                        throw Fault("\(path): tensor \(abbreviated(name)) has a dimension of \(length)")
                    }
                    shape.append(exact)
                    elements = product.partialValue
                }
                shape.reverse()
                let raw = try reader.integer(UInt32.self)
                guard let kind = Kind(rawValue: raw) else {
                    throw Fault("\(path): tensor \(abbreviated(name)) has GGML type \(raw); only f16, f32, f64 and i8 to i64 are read")
                }
                let (size, overflow) = elements.multipliedReportingOverflow(by: kind.size)
                guard !overflow else { throw Fault("\(path): tensor \(abbreviated(name)) is impossibly large") }
                records.append((name, shape, kind, size, try reader.integer(UInt64.self)))
            }

            guard count > 0 else {
                guard reader.bytes.count == fileSize else { throw Fault("\(path): \(fileSize) bytes without a tensor") }
                end = fileSize
                return
            }
            guard let start = reader.offset.aligned(to: alignment), start <= reader.bytes.count else {
                throw Fault("\(path): truncated: its data section is missing")
            }
            end = start
            for (index, record) in records.enumerated() {
                let section = UInt64(fileSize - start)
                guard record.offset <= section, UInt64(record.size) <= section - record.offset else {
                    throw Fault("\(path): truncated or corrupt: tensor \(abbreviated(record.name)) reaches beyond the file's end")
                }
                guard record.offset % UInt64(alignment) == 0 else {
                    throw Fault("\(path): tensor \(abbreviated(record.name)) is not aligned to \(alignment) bytes")
                }
                let offset = start + Int(record.offset)
                tensors.append(
                    Tensor(
                        name: record.name, shape: record.shape, kind: record.kind, byteCount: record.size, index: index, offset: offset))
            }
            var previous: Tensor?
            for tensor in tensors.sorted(by: { $0.offset < $1.offset }) {
                if let previous, previous.offset + previous.byteCount > tensor.offset {
                    throw Fault("\(path): tensors \(abbreviated(previous.name)) and \(abbreviated(tensor.name)) overlap")
                }
                previous = tensor
            }
        }
    }
}
