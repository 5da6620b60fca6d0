/// Reads little-endian values from untrusted bytes, front to back; every read is bounds-checked.
public struct ByteReader {
    public let bytes: UnsafeRawBufferPointer
    /// Position of the next read, from the start of `bytes`; never beyond their end.
    public private(set) var offset: Int
    /// The file's name, for faults.
    public let path: String

    /// - Precondition: `offset` is inside `bytes` or at their end.
    public init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0, path: String) {
        precondition(offset >= 0 && offset <= bytes.count)
        self.bytes = bytes
        self.offset = offset
        self.path = path
    }

    public var remaining: Int { bytes.count - offset }

    /// The next `count` bytes. - Throws: when fewer are left or `count` is negative.
    public mutating func take(_ count: Int) throws(Fault) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else {
            throw Fault("\(path): truncated or corrupt at byte \(offset): \(count) bytes expected, \(remaining) left")
        }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    public mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(Fault) -> T {
        T(littleEndian: try take(MemoryLayout<T>.size).loadUnaligned(as: T.self))
    }

    /// A 64-bit count of elements of at least `size` bytes each. - Throws: when the remaining bytes cannot hold them.
    public mutating func count(ofSize size: Int) throws(Fault) -> Int {
        let start = offset
        let value = try integer(UInt64.self)
        guard value <= UInt64(remaining / max(size, 1)) else {
            throw Fault("\(path): truncated or corrupt at byte \(start): \(value) elements of \(size) bytes announced, \(remaining) bytes left")
        }
        return Int(value)
    }

    /// The next `count` bytes as text. - Throws: when they are no valid UTF-8.
    public mutating func text(_ count: Int) throws(Fault) -> String {
        let start = offset
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw Fault("\(path): corrupt at byte \(start): text that is not UTF-8")
        }
        return text
    }
}
