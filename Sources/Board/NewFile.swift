import CBoard

/// A file that appears under its name only when complete: written beside it, synchronised, then renamed.
///
/// Dropped without `commit()`, it leaves nothing behind, nor when SIGTERM, SIGINT or SIGHUP ends the program.
public final class NewFile {
    public let path: String
    private let temporary: String
    private let mark: UnfinishedFiles.Mark?
    private var stream: UnsafeMutablePointer<FILE>?

    /// - Throws: when the folder cannot be written to.
    public init(path: String) throws(Fault) {
        self.path = path
        temporary = path + ".part-\(getpid())"
        guard let stream = fopen(temporary, "w+b") else { throw Fault("\(path): cannot be written: \(systemError())") }
        self.stream = stream
        mark = UnfinishedFiles.add(temporary)
    }

    /// Appends bytes. - Throws: on a full disk or another write error.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        guard !bytes.isEmpty else { return }
        guard let stream, fwrite(bytes.baseAddress!, 1, bytes.count, stream) == bytes.count else { throw failure() }
    }

    public func write(_ bytes: [UInt8]) throws(Fault) {
        // A closure would lose the typed error in Embedded mode.
        let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(bytes.count, 1))
        defer { copy.deallocate() }
        copy.initialize(from: bytes, count: bytes.count)
        try write(UnsafeRawBufferPointer(start: copy, count: bytes.count))
    }

    public func write(_ text: String) throws(Fault) {
        try write(Array(text.utf8))
    }

    /// Overwrites bytes already written at `offset`, then continues at the end.
    public func overwrite(at offset: Int, _ bytes: [UInt8]) throws(Fault) {
        guard let stream, fseek(stream, offset, SEEK_SET) == 0 else { throw failure() }
        try write(bytes)
        guard fseek(stream, 0, SEEK_END) == 0 else { throw failure() }
    }

    /// Makes the file appear under its name. - Throws: when the data could not be stored; then nothing appears.
    public func commit() throws(Fault) {
        guard let stream else { throw failure() }
        guard fflush(stream) == 0, fsync(fileno(stream)) == 0 else { throw failure() }
        self.stream = nil
        defer { UnfinishedFiles.remove(mark) }
        guard fclose(stream) == 0, rename(temporary, path) == 0 else {
            let fault = failure()
            unlink(temporary)
            throw fault
        }
    }

    private func failure() -> Fault {
        Fault("\(path): cannot be written: \(systemError())")
    }

    deinit {
        if let stream {
            fclose(stream)
            unlink(temporary)
            UnfinishedFiles.remove(mark)
        }
    }
}
