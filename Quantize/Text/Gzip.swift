import CZlib
import System

/// Reader of gzip files (RFC 1952).
public enum Gzip {
    /// The content of a gzip file held in memory; one that consists of several members is joined.
    ///
    /// - Parameter limit: bytes; a file that unpacks to more is refused, so a small hostile file cannot fill the memory.
    /// - Throws: when `bytes` is no gzip file, is damaged or cut off, or exceeds `limit`. `path` only names it.
    public static func inflate(_ bytes: UnsafeRawBufferPointer, path: String, limit: Int = 1 << 30) throws(Fault) -> [UInt8] {
        var stream = z_stream()
        // 15: the largest window; + 16: a gzip header is required.
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw Fault("\(path): zlib cannot be started")
        }
        defer { inflateEnd(&stream) }
        guard bytes.count > 0, bytes.count <= Int(UInt32.max) else { throw Fault("\(path): no gzip file") }
        stream.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(bytes.count)

        var content = [UInt8]()
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let (status, produced) = block.withUnsafeMutableBufferPointer { block in
                stream.next_out = block.baseAddress
                stream.avail_out = UInt32(block.count)
                let status = CZlib.inflate(&stream, Z_NO_FLUSH)
                return (status, block.count - Int(stream.avail_out))
            }
            content.append(contentsOf: block[..<produced])
            guard content.count <= limit else { throw Fault("\(path): unpacks to more than \(limit) bytes") }
            if status == Z_STREAM_END {
                if stream.avail_in == 0 { return content }
                guard inflateReset(&stream) == Z_OK else { throw Fault("\(path): gzip data is damaged") }
            } else if status != Z_OK {
                let reason = status == Z_BUF_ERROR ? "cut off" : "damaged"
                throw Fault("\(path): gzip data is \(reason)")
            }
        }
    }

    /// Whether `bytes` begin like a gzip file.
    public static func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B
    }
}
