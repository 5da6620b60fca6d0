import CSystem
import CZlib
import System

/// The directory of a zip archive as PyTorch writes it: tensors and pickles are stored plainly; only the code of TorchScript programs, which
/// nothing here reads, is compressed.
///
/// Format: PKWARE's APPNOTE 6.3, sections 4.3 (records) and 4.5.3 (zip64). Entries are used where they lie in the mapped file.
struct Zip {
    struct Entry {
        let name: String
        /// Bytes of the file.
        let data: Range<Int>
        /// CRC-32 of the data.
        let checksum: UInt32
        let isCompressed: Bool
    }

    private(set) var entries: [String: Entry] = [:]
    private let path: String

    private static let mostEntries = 100_000

    /// - Throws: when the directory is missing or contradicts itself, the entries or the file's size, when names repeat,
    ///   when entries overlap, or when one is encrypted.
    init(_ file: MappedFile) throws(Fault) {
        path = file.path
        let directory = try Self.directory(file)
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: file.bytes[..<directory.bytes.upperBound]), at: directory.bytes.lowerBound, path: path)
        var spans: [(start: Int, end: Int, name: String)] = []
        for _ in 0..<directory.count {
            let (entry, header) = try Self.entry(&reader, file, before: directory.bytes.lowerBound)
            guard entries.updateValue(entry, forKey: entry.name) == nil else {
                throw Fault("\(path): corrupt: zip entry \(abbreviated(entry.name)) occurs twice")
            }
            spans.append((header, entry.data.upperBound, entry.name))
        }
        guard reader.remaining == 0 else { throw Fault("\(path): corrupt: the zip directory's size and its number of entries disagree") }
        spans.sort { $0.start < $1.start }
        for (span, next) in zip(spans, spans.dropFirst()) where span.end > next.start {
            throw Fault("\(path): corrupt: zip entries \(abbreviated(span.name)) and \(abbreviated(next.name)) overlap")
        }
    }

    /// The entry called `name`, if there is one.
    /// - Throws: when it is compressed.
    func stored(_ name: String) throws(Fault) -> Entry? {
        guard let entry = entries[name] else { return nil }
        guard !entry.isCompressed else {
            throw Fault("\(path): zip entry \(abbreviated(name)) is compressed; torch.save stores entries plainly: save it again, or repack with zip -0")
        }
        return entry
    }

    // MARK: - Directory

    private static func directory(_ file: MappedFile) throws(Fault) -> (bytes: Range<Int>, count: Int) {
        let bytes = file.bytes
        let path = file.path
        guard let end = endRecord(bytes) else {
            throw Fault("\(path): truncated: a zip archive without the directory at its end; download or copy it again")
        }
        var reader = ByteReader(bytes, at: end + 4, path: path)
        let disk = try reader.integer(UInt16.self)
        let firstDisk = try reader.integer(UInt16.self)
        var onDisk = UInt64(try reader.integer(UInt16.self))
        var count = UInt64(try reader.integer(UInt16.self))
        var size = UInt64(try reader.integer(UInt32.self))
        var start = UInt64(try reader.integer(UInt32.self))
        var limit = end
        guard disk == 0, firstDisk == 0 else { throw Fault("\(path): a zip archive in several parts cannot be read") }
        // The locator of the zip64 record, where there is one, stands right before the end record.
        if end >= 20, signature(bytes, at: end - 20) == 0x0706_4b50 {
            var locator = ByteReader(bytes, at: end - 16, path: path)
            _ = try locator.integer(UInt32.self)
            let offset = try locator.integer(UInt64.self)
            guard offset <= UInt64(end - 20), end - 20 - Int(offset) >= 56, signature(bytes, at: Int(offset)) == 0x0606_4b50 else {
                throw Fault("\(path): corrupt: the zip64 record is not where the archive says")
            }
            limit = Int(offset)
            reader = ByteReader(bytes, at: limit + 24, path: path)
            onDisk = try reader.integer()
            count = try reader.integer()
            size = try reader.integer()
            start = try reader.integer()
        }
        // Nothing else may stand between directory and end record, so the three numbers check one another.
        guard start <= UInt64(limit), size == UInt64(limit) - start, onDisk == count, count <= size / 46 else {
            throw Fault("\(path): corrupt: the zip directory is not where the archive says")
        }
        guard count <= mostEntries else { throw Fault("\(path): \(count) zip entries; a checkpoint has far fewer") }
        return (Int(start)..<limit, Int(count))
    }

    /// Position of the end record: the last one whose comment reaches exactly to the end of the file.
    private static func endRecord(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 22 else { return nil }
        for comment in 0...min(bytes.count - 22, 65535) {
            let start = bytes.count - 22 - comment
            if bytes[start] == 0x50, signature(bytes, at: start) == 0x0605_4b50,
                UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 20, as: UInt16.self)) == UInt16(comment)
            {
                return start
            }
        }
        return nil
    }

    private static func signature(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    // MARK: - Entries

    private static func entry(_ reader: inout ByteReader, _ file: MappedFile, before limit: Int) throws(Fault) -> (Entry, header: Int) {
        let path = file.path
        guard try reader.integer(UInt32.self) == 0x0201_4b50 else { throw Fault("\(path): corrupt: zip directory entry without its signature") }
        _ = try reader.take(4)
        let flags = try reader.integer(UInt16.self)
        let method = try reader.integer(UInt16.self)
        _ = try reader.take(4)
        let checksum = try reader.integer(UInt32.self)
        var stored = UInt64(try reader.integer(UInt32.self))
        var size = UInt64(try reader.integer(UInt32.self))
        let nameLength = Int(try reader.integer(UInt16.self))
        let extraLength = Int(try reader.integer(UInt16.self))
        let commentLength = Int(try reader.integer(UInt16.self))
        _ = try reader.take(8)
        var offset = UInt64(try reader.integer(UInt32.self))
        let name = try reader.text(nameLength)
        var extra = ByteReader(try reader.take(extraLength), path: path)
        _ = try reader.take(commentLength)
        while extra.remaining >= 4 {
            let identifier = try extra.integer(UInt16.self)
            var field = ByteReader(try extra.take(Int(try extra.integer(UInt16.self))), path: path)
            guard identifier == 1 else { continue }
            // Holds, in this order, those of the numbers that did not fit in 32 bits.
            if size == 0xffff_ffff { size = try field.integer() }
            if stored == 0xffff_ffff { stored = try field.integer() }
            if offset == 0xffff_ffff { offset = try field.integer() }
        }

        let text = abbreviated(name)
        guard flags & 1 == 0 else { throw Fault("\(path): zip entry \(text) is encrypted") }
        let corrupt = Fault("\(path): corrupt: zip entry \(text) is not where the directory says")
        guard size == stored || method != 0, offset < UInt64(limit), stored <= UInt64(limit) - offset else { throw corrupt }
        var local = ByteReader(UnsafeRawBufferPointer(rebasing: file.bytes[..<limit]), at: Int(offset), path: path)
        guard limit - Int(offset) >= 30, try local.integer(UInt32.self) == 0x0403_4b50 else { throw corrupt }
        _ = try local.take(4)
        let localMethod = try local.integer(UInt16.self)
        _ = try local.take(16)
        let localNameLength = Int(try local.integer(UInt16.self))
        let localExtraLength = Int(try local.integer(UInt16.self))
        guard localMethod == method, localNameLength == nameLength, try local.text(localNameLength) == name else { throw corrupt }
        _ = try local.take(localExtraLength)
        let start = local.offset
        guard Int(stored) <= limit - start else { throw corrupt }
        return (Entry(name: name, data: start..<start + Int(stored), checksum: checksum, isCompressed: method != 0), Int(offset))
    }
}

/// CRC-32 as in zip archives, zlib's.
enum CRC32 {
    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        UInt32(truncatingIfNeeded: crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
    }
}
