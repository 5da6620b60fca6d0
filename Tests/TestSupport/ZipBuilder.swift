/// A zip archive of stored entries; every field of an entry can be set to a wrong value.
public struct ZipBuilder: Sendable {
    public struct Entry: Sendable {
        public var name: String
        public var data: [UInt8]
        /// Fields of the directory record; nil: the correct value.
        public var size: UInt32?
        public var storedSize: UInt32?
        public var offset: UInt32?
        public var checksum: UInt32?
        public var method: UInt16 = 0
        public var flags: UInt16 = 0
        /// The extra field of the directory record.
        public var extra: [UInt8] = []
        /// The name in front of the data, where it differs from the directory's.
        public var localName: String?

        public init(_ name: String, _ data: [UInt8]) {
            self.name = name
            self.data = data
        }
    }

    public var entries: [Entry]
    /// Data starts at a multiple of this, by padding in the local extra field, as PyTorch does.
    public var alignment = 1
    public var comment: [UInt8] = []

    public init(_ entries: [Entry]) {
        self.entries = entries
    }

    public func bytes() -> [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let checksum = entry.checksum ?? crc32(entry.data)
            let size = UInt32(entry.data.count)
            let name = Array(entry.name.utf8)
            let localName = Array((entry.localName ?? entry.name).utf8)
            let offset = UInt32(file.count)
            let header = file.count + 30 + localName.count
            let padding = (alignment - header % alignment) % alignment
            file.append(little: UInt32(0x0403_4b50))
            file.append(little: UInt16(20))
            file.append(little: entry.flags)
            file.append(little: entry.method)
            file.append(little: UInt32(0))
            file.append(little: checksum)
            file.append(little: size)
            file.append(little: size)
            file.append(little: UInt16(localName.count))
            file.append(little: UInt16(padding))
            file += localName + [UInt8](repeating: 0, count: padding) + entry.data

            directory.append(little: UInt32(0x0201_4b50))
            directory.append(little: UInt16(20))
            directory.append(little: UInt16(20))
            directory.append(little: entry.flags)
            directory.append(little: entry.method)
            directory.append(little: UInt32(0))
            directory.append(little: checksum)
            directory.append(little: entry.storedSize ?? entry.size ?? size)
            directory.append(little: entry.size ?? size)
            directory.append(little: UInt16(name.count))
            directory.append(little: UInt16(entry.extra.count))
            directory += [UInt8](repeating: 0, count: 10)
            directory.append(little: entry.offset ?? offset)
            directory += name + entry.extra
        }
        let start = UInt32(file.count)
        file += directory
        file.append(little: UInt32(0x0605_4b50))
        file.append(little: UInt32(0))
        file.append(little: UInt16(entries.count))
        file.append(little: UInt16(entries.count))
        file.append(little: UInt32(directory.count))
        file.append(little: start)
        file.append(little: UInt16(comment.count))
        return file + comment
    }
}

/// CRC-32 bit by bit: slow, and independent of the reader's.
public func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc: UInt32 = 0xffff_ffff
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }
    return ~crc
}
