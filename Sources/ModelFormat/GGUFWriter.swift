import CHash
import System

/// Writes a GGUF file (version 3) with the checksums that `GGUF` checks; the file appears on `commit` only.
///
/// Key-values and tensors are announced first. Then the tensors' bytes are appended in the order announced, one at a
/// time, so that a model is never held whole.
public final class GGUFWriter {
    public enum Value {
        case string(String)
        case bool(Bool)
        case uint32(UInt32)
        case int32(Int32)
        case uint64(UInt64)
        case float32(Float)
        case strings([String])
        case bools([Bool])
        case uint32s([UInt32])
        case int32s([Int32])
        case uint64s([UInt64])
        case float32s([Float])
    }

    private struct Tensor {
        let name: String
        let shape: [Int]
        let kind: GGUF.Kind
        let offset: Int
        let size: Int
    }

    private let path: String
    private let alignment: Int
    private var file: AtomicFile
    private var keys: Set<String> = []
    private var values = ByteBuilder()
    private var tensors: [Tensor] = []
    private var tensorNames: Set<String> = []
    private var end = 0

    /// What precedes the data section, and where the checksums go in it. Empty until the first byte of data.
    private var header = ByteBuilder()
    private var checksums: [UInt64] = []

    /// - Parameter alignment: in bytes, a power of two from 8 to 65536; every tensor starts at a multiple of it.
    /// - Throws: when the folder cannot be written to.
    public init(path: String, alignment: Int = 64) throws(Fault) {
        guard alignment >= 8, alignment <= 65536, alignment & (alignment - 1) == 0 else {
            throw Fault("\(path): cannot align tensors to \(alignment) bytes")
        }
        self.path = path
        self.alignment = alignment
        file = try AtomicFile(path: path)
        try set("general.alignment", .uint32(UInt32(alignment)))
    }

    /// - Throws: when the key was set before, or when data has been appended.
    public func set(_ key: String, _ value: Value) throws(Fault) {
        try beforeData(key)
        guard !key.isEmpty, key.utf8.count <= 65535, keys.insert(key).inserted,
            key != GGUF.headerChecksum, key != GGUF.tensorChecksums
        else { throw Fault("\(path): key \(key) cannot be set twice") }
        values.append(key)
        values.append(value)
    }

    /// Announces a tensor.
    /// - Parameter shape: outermost dimension first; 1 to 4 dimensions, none of them 0.
    /// - Throws: when the name was announced before, when the shape cannot be stored, or when data has been appended.
    public func declare(_ name: String, shape: [Int], kind: GGUF.Kind) throws(Fault) {
        try beforeData(name)
        guard (1...4).contains(shape.count), shape.allSatisfy({ $0 > 0 }) else {
            throw Fault("\(path): tensor \(name) of shape \(shape) cannot be stored")
        }
        guard !name.isEmpty, name.utf8.count <= 65535, tensorNames.insert(name).inserted else {
            throw Fault("\(path): tensor \(name) cannot be declared twice")
        }
        let tensor = Tensor(name: name, shape: shape, kind: kind, offset: end, size: shape.reduce(kind.size, *))
        tensors.append(tensor)
        end = aligned(tensor.offset + tensor.size)
    }

    /// Appends the little-endian, row-major elements of the next announced tensor, which must be `name`.
    /// - Throws: when another tensor is due, when the size differs from the announced one, or on a write error.
    public func append(_ name: String, _ bytes: UnsafeRawBufferPointer) throws(Fault) {
        if header.bytes.isEmpty { try writeHeader() }
        guard checksums.count < tensors.count, tensors[checksums.count].name == name else {
            throw Fault("\(path): tensor \(name) is out of order")
        }
        let tensor = tensors[checksums.count]
        guard bytes.count == tensor.size else {
            throw Fault("\(path): tensor \(name) has \(bytes.count) bytes, \(tensor.size) announced")
        }
        try file.write(bytes)
        try file.write([UInt8](repeating: 0, count: aligned(tensor.size) - tensor.size))
        checksums.append(hash_xxh3(bytes.baseAddress, bytes.count))
    }

    /// Appends the elements of the next announced tensor. - Throws: as `append(_:_:)` of bytes does.
    public func append<Element: BitwiseCopyable>(_ name: String, _ elements: [Element]) throws(Fault) {
        var fault: Fault?
        elements.withUnsafeBytes { bytes in
            do throws(Fault) { try append(name, bytes) } catch { fault = error }
        }
        if let fault { throw fault }
    }

    /// Completes the file with its checksums and makes it appear.
    /// - Throws: when an announced tensor is missing, or on a write error; then nothing appears.
    public func commit() throws(Fault) {
        if header.bytes.isEmpty { try writeHeader() }
        guard checksums.count == tensors.count else {
            throw Fault("\(path): tensor \(tensors[checksums.count].name) was announced but not written")
        }
        header.patch(GGUF.tensorChecksums, checksums)
        let hash = header.bytes.withUnsafeBytes { hash_xxh3($0.baseAddress, $0.count) }
        header.patch(GGUF.headerChecksum, [hash])
        try file.overwrite(at: 0, header.bytes)
        try file.commit()
    }

    // MARK: -

    private func beforeData(_ name: String) throws(Fault) {
        guard header.bytes.isEmpty else { throw Fault("\(path): \(name) comes after the first tensor's data") }
    }

    private func aligned(_ offset: Int) -> Int {
        (offset + alignment - 1) / alignment * alignment
    }

    private func writeHeader() throws(Fault) {
        header.append(Array("GGUF".utf8))
        header.append(UInt32(3))
        header.append(UInt64(tensors.count))
        header.append(UInt64(keys.count + 2))
        header.append(values.bytes)
        header.mark(GGUF.tensorChecksums, .uint64s([UInt64](repeating: 0, count: tensors.count)))
        header.mark(GGUF.headerChecksum, .uint64(0))
        for tensor in tensors {
            header.append(tensor.name)
            header.append(UInt32(tensor.shape.count))
            for length in tensor.shape.reversed() { header.append(UInt64(length)) }
            header.append(tensor.kind.rawValue)
            header.append(UInt64(tensor.offset))
        }
        if !tensors.isEmpty {
            header.append([UInt8](repeating: 0, count: aligned(header.bytes.count) - header.bytes.count))
        }
        try file.write(header.bytes)
    }
}

/// Bytes in GGUF's encoding.
private struct ByteBuilder {
    private(set) var bytes: [UInt8] = []
    /// Where the data of marked values ends.
    private var marks: [String: Int] = [:]

    mutating func append(_ raw: [UInt8]) {
        bytes += raw
    }

    mutating func append<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    mutating func append(_ text: String) {
        append(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    mutating func append(_ value: GGUFWriter.Value) {
        switch value {
        case .string(let text):
            append(UInt32(8))
            append(text)
        case .bool(let flag):
            append(UInt32(7))
            append(UInt8(flag ? 1 : 0))
        case .uint32(let number):
            append(UInt32(4))
            append(number)
        case .int32(let number):
            append(UInt32(5))
            append(number)
        case .uint64(let number):
            append(UInt32(10))
            append(number)
        case .float32(let number):
            append(UInt32(6))
            append(number.bitPattern)
        case .strings(let list):
            array(8, list.count)
            list.forEach { append($0) }
        case .bools(let list):
            array(7, list.count)
            list.forEach { append(UInt8($0 ? 1 : 0)) }
        case .uint32s(let list):
            array(4, list.count)
            list.forEach { append($0) }
        case .int32s(let list):
            array(5, list.count)
            list.forEach { append($0) }
        case .uint64s(let list):
            array(10, list.count)
            list.forEach { append($0) }
        case .float32s(let list):
            array(6, list.count)
            list.forEach { append($0.bitPattern) }
        }
    }

    private mutating func array(_ element: UInt32, _ count: Int) {
        append(UInt32(9))
        append(element)
        append(UInt64(count))
    }

    /// Appends a key-value whose trailing u64 numbers `patch` replaces later.
    mutating func mark(_ key: String, _ value: GGUFWriter.Value) {
        append(key)
        append(value)
        marks[key] = bytes.count
    }

    mutating func patch(_ key: String, _ numbers: [UInt64]) {
        guard let end = marks[key] else { return }
        for (index, number) in numbers.enumerated() {
            withUnsafeBytes(of: number.littleEndian) { raw in
                let start = end - (numbers.count - index) * 8
                bytes.replaceSubrange(start..<start + 8, with: raw)
            }
        }
    }
}
