import CSystem

/// A regular file, read piece by piece. It is not mapped: if another program rewrites or shortens it, reading throws at most.
public final class InputFile {
    public let path: String
    /// Its length in bytes when it was opened.
    public let size: Int
    private let descriptor: Int32

    /// - Throws: when `path` cannot be opened or is no regular file.
    public init(path: String) throws(Fault) {
        (descriptor, size) = try openRegularFile(path)
        self.path = path
    }

    /// Fills `target` with the bytes from `offset` on. - Throws: when the file has too few bytes, or they cannot be read.
    public func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(Fault) {
        var done = 0
        while done < target.count {
            let count = pread(descriptor, target.baseAddress! + done, target.count - done, offset + done)
            guard count > 0 || (count < 0 && system_errno() == EINTR) else {
                throw Fault(
                    count < 0
                        ? "\(path): \(systemError())"
                        : "\(path): ends at byte \(offset + done), \(target.count - done) more are expected: it was shortened while it was read")
            }
            done += max(count, 0)
        }
    }

    /// Bytes `range`. - Throws: as above.
    public func bytes(_ range: Range<Int>) throws(Fault) -> [UInt8] {
        var fault: Fault?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            do throws(Fault) {
                try read(at: range.lowerBound, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<range.count]))
                count = range.count
            } catch {
                fault = error
            }
        }
        if let fault { throw fault }
        return bytes
    }

    deinit { close(descriptor) }
}

/// The contents of a regular file, with its length at the time of reading. - Parameter limit: the largest plausible number of bytes.
/// - Throws: when it cannot be read, is longer, or the machine lacks the memory.
public func contents(of path: String, limit: Int) throws(Fault) -> [UInt8] {
    let file = try InputFile(path: path)
    guard file.size <= limit else { throw Fault("\(path): \(file.size) bytes long; at most \(limit) are read") }
    if file.size > 16 << 20 { try requireMemory(file.size, for: "\(path): reading it needs") }
    return try file.bytes(0..<file.size)
}

/// - Returns: a descriptor, and the file's length in bytes. - Throws: when `path` cannot be opened or is no regular file.
func openRegularFile(_ path: String) throws(Fault) -> (descriptor: Int32, size: Int) {
    // Opening a named pipe would otherwise wait for its writer.
    let descriptor = system_open(path, O_RDONLY | O_NONBLOCK, 0)
    guard descriptor >= 0 else { throw Fault("\(path): \(systemError())") }
    var status = stat()
    let isKnown = fstat(descriptor, &status) == 0
    guard isKnown, status.st_mode & UInt32(S_IFMT) == UInt32(S_IFREG) else {
        let reason = isKnown ? "not a regular file" : systemError()
        close(descriptor)
        throw Fault("\(path): \(reason)")
    }
    return (descriptor, Int(status.st_size))
}
