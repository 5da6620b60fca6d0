import CHash
import Kernels
import System

/// A GGUF file (version 3, little-endian): typed key-values and named tensors.
///
/// The header is checked on opening, so that a truncated or hostile file causes a fault and never a trap. Tensors stay on disk until they
/// are read, and are then compared with their checksums, which files of this project carry. A file that is rewritten meanwhile therefore
/// causes a fault, too.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Two keys are ours:
/// - `fcclip.checksum.tensors`: array of u64, XXH3-64 of every tensor's bytes in table order;
/// - `fcclip.checksum.header`: u64, XXH3-64 of all bytes before the data section, these eight taken as zero.
///
/// A file with checksums holds nothing else: tensors lie in table order, separated only by zeros up to the alignment.
public final class GGUF {
    /// Element type of a tensor; raw values are GGML's.
    public enum Kind: UInt32 {
        case float32 = 0
        case float16 = 1
        case int8 = 24
        case int16 = 25
        case int32 = 26
        case int64 = 27
        case float64 = 28

        /// Bytes of an element.
        public var size: Int {
            switch self {
            case .int8: 1
            case .float16, .int16: 2
            case .float32, .int32: 4
            case .int64, .float64: 8
            }
        }

        public var name: String {
            switch self {
            case .float32: "f32"
            case .float16: "f16"
            case .int8: "i8"
            case .int16: "i16"
            case .int32: "i32"
            case .int64: "i64"
            case .float64: "f64"
            }
        }
    }

    public struct Tensor {
        public let name: String
        /// Outermost dimension first, as PyTorch prints it (the reverse of GGUF's own order); row-major. 1 to 4 dimensions.
        public let shape: [Int]
        public let kind: Kind
        /// Of its elements.
        public let byteCount: Int
        /// Position in the table of tensors.
        public let index: Int
        /// Of the first byte, from the start of the file.
        let offset: Int

        public var count: Int { byteCount / kind.size }
    }

    public static let tensorChecksums = "fcclip.checksum.tensors"
    public static let headerChecksum = "fcclip.checksum.header"

    public var path: String { file.path }
    /// In table order.
    public let tensors: [Tensor]
    /// Bytes to a multiple of which tensors are aligned.
    public let alignment: Int
    /// Bytes of the file.
    public var size: Int { file.size }

    private let file: InputFile
    /// What precedes the data section.
    let head: UnsafeRawBufferPointer
    let entries: [Entry]
    private let entryIndex: [String: Int]
    private let tensorIndex: [String: Int]
    private var checksums: [UInt64]?

    /// - Throws: when the file cannot be read, is no GGUF file of version 3, is malformed, or when its header's checksum
    ///   is present and wrong.
    public init(path: String) throws(Fault) {
        file = try InputFile(path: path)
        let header: Header
        (head, header) = try GGUF.head(of: file)
        entries = header.entries
        entryIndex = header.entryIndex
        tensors = header.tensors
        tensorIndex = header.tensorIndex
        alignment = header.alignment
        checksums = nil
        try checkHeader(endingAt: header.end)
    }

    /// The longest that a head may be, in bytes.
    private static let longestHead = 64 << 20

    /// Reads the head. Its length is known only after parsing, so that ever larger parts of the file are tried.
    private static func head(of file: InputFile) throws(Fault) -> (UnsafeRawBufferPointer, Header) {
        var count = min(file.size, 1 << 20)
        while true {
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
            do throws(Fault) {
                try file.read(at: 0, into: bytes)
                return (UnsafeRawBufferPointer(bytes), try Header(UnsafeRawBufferPointer(bytes), path: file.path, fileSize: file.size))
            } catch {
                bytes.deallocate()
                guard count < min(file.size, longestHead) else { throw error }
                count = min(file.size, longestHead, count * 8)
            }
        }
    }

    deinit { head.deallocate() }

    /// - Throws: when the file carries no checksums, as every file written by `quantize` does.
    public func requireChecksums() throws(Fault) {
        guard checksums != nil else { throw Fault("\(path): has no checksums: not written by quantize, or damaged") }
    }

    /// - Throws: when there is no such tensor.
    public func tensor(_ name: String) throws(Fault) -> Tensor {
        guard let tensor = tensorIfPresent(name) else { throw Fault("\(path): has no tensor \(abbreviated(name))") }
        return tensor
    }

    public func tensorIfPresent(_ name: String) -> Tensor? {
        guard let index = tensorIndex[name] else { return nil }
        return tensors[index]
    }

    /// Fills `target` with the tensor's elements, and compares them with their checksum.
    ///
    /// - Parameter target: `tensor.byteCount` bytes.
    /// - Throws: when they differ, when they cannot be read, or when the file has no checksums.
    public func read(_ tensor: Tensor, into target: UnsafeMutableRawBufferPointer) throws(Fault) {
        try requireChecksums()
        try file.read(at: tensor.offset, into: target)
        try check(tensor, hash: hash_xxh3(target.baseAddress, target.count))
    }

    /// Reads the whole tensor and compares it with its checksum, keeping none of it.
    /// - Throws: when they differ, or when the file has no checksums.
    public func verify(_ tensor: Tensor) throws(Fault) {
        try requireChecksums()
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: min(tensor.byteCount, 1 << 20), alignment: 64)
        defer { piece.deallocate() }
        guard let state = hash_begin() else { throw Fault("\(path): out of memory", kind: .memory) }
        var done = 0
        var fault: Fault?
        while done < tensor.byteCount, fault == nil {
            let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(piece.count, tensor.byteCount - done)])
            do throws(Fault) { try file.read(at: tensor.offset + done, into: part) } catch { fault = error }
            hash_add(state, part.baseAddress, part.count)
            done += part.count
        }
        let hash = hash_end(state)
        if let fault { throw fault }
        try check(tensor, hash: hash)
    }

    private func check(_ tensor: Tensor, hash: UInt64) throws(Fault) {
        // Between tensors lie zeros only, so that no byte of the file goes unchecked.
        let end = tensor.offset + tensor.byteCount
        let padding = try file.bytes(end..<min(end.aligned(to: alignment) ?? end, file.size))
        guard let checksums, hash == checksums[tensor.index], padding.allSatisfy({ $0 == 0 }) else {
            throw Fault("\(path): tensor \(abbreviated(tensor.name)) is damaged: its checksum does not match")
        }
    }

    func entry(_ key: String) -> Entry? {
        guard let index = entryIndex[key] else { return nil }
        return entries[index]
    }

    // MARK: - Integrity

    private func checkHeader(endingAt end: Int) throws(Fault) {
        guard has(GGUF.headerChecksum) || has(GGUF.tensorChecksums) else { return }
        let entry = try entry(GGUF.headerChecksum, .uint64)
        let zeros = [UInt8](repeating: 0, count: 8)
        guard let state = hash_begin() else { throw Fault("\(path): out of memory") }
        hash_add(state, head.baseAddress, entry.offset)
        hash_add(state, zeros, 8)
        hash_add(state, head.baseAddress! + entry.offset + 8, end - entry.offset - 8)
        guard hash_end(state) == head.loadUnaligned(fromByteOffset: entry.offset, as: UInt64.self).littleEndian else {
            throw Fault("\(path): damaged: the header's checksum does not match")
        }

        let list = try self.entry(GGUF.tensorChecksums, .array)
        guard list.element == .uint64, list.count == tensors.count else {
            throw Fault("\(path): \(GGUF.tensorChecksums) does not hold one u64 per tensor")
        }
        var expected = end
        for tensor in tensors {
            guard tensor.offset == expected, let next = (tensor.offset + tensor.byteCount).aligned(to: alignment) else {
                throw Fault("\(path): tensor \(abbreviated(tensor.name)) does not follow its predecessor")
            }
            expected = next
        }
        guard expected == file.size else {
            throw Fault("\(path): \(file.size) bytes long, but its contents end at byte \(expected)")
        }
        var values: [UInt64] = []
        values.reserveCapacity(list.count)
        for index in 0..<list.count {
            values.append(UInt64(littleEndian: head.loadUnaligned(fromByteOffset: list.offset + index * 8, as: UInt64.self)))
        }
        checksums = values
    }
}

extension Int {
    /// The next multiple of `alignment` (a power of two); nil where there is none.
    func aligned(to alignment: Int) -> Int? {
        let (sum, overflow) = addingReportingOverflow(alignment - 1)
        return overflow ? nil : sum & ~(alignment - 1)
    }
}
