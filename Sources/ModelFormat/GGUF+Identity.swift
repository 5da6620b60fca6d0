import System

extension GGUF {
    /// Which file this is: its header's checksum, which covers every tensor's checksum, as 16 hexadecimal digits.
    /// - Throws: when the file carries no checksums.
    public func identity() throws(Fault) -> String {
        let entry = try entry(GGUF.headerChecksum, .uint64)
        return hexadecimal(UInt64(littleEndian: head.loadUnaligned(fromByteOffset: entry.offset, as: UInt64.self)))
    }
}
