import CBoard

/// A file that appears under its name only when complete: written beside it, synchronised, then renamed.
///
/// Dropped without `commit()`, it leaves nothing behind, nor when SIGTERM, SIGINT or SIGHUP ends the program. A device or a pipe of the
/// name, such as `/dev/null`, is written to as it stands.
public final class NewFile {
    public let path: String
    /// Nil where there is a device or a pipe.
    private let temporary: String?
    private let mark: UnfinishedFiles.Mark?
    private var stream: board_stream

    /// - Throws: when the folder cannot be written to.
    public init(path: String) throws(Fault) {
        self.path = path
        var status = stat()
        let isOrdinary = stat(path, &status) != 0 || [UInt32(S_IFREG), UInt32(S_IFDIR)].contains(status.st_mode & UInt32(S_IFMT))
        temporary = isOrdinary ? path + ".part-\(getpid())" : nil
        stream = board_stream(file: fopen(temporary ?? path, isOrdinary ? "w+b" : "wb"))
        guard stream.file != nil else { throw Fault("\(path): cannot be written: \(systemError())") }
        mark = temporary.flatMap(UnfinishedFiles.add)
    }

    /// Appends bytes. - Throws: on a full disk or another write error.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        guard !bytes.isEmpty else { return }
        guard let file = stream.file, fwrite(bytes.baseAddress!, 1, bytes.count, file) == bytes.count else { throw failure() }
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
        guard let file = stream.file, fseek(file, offset, SEEK_SET) == 0 else { throw failure() }
        try write(bytes)
        guard fseek(file, 0, SEEK_END) == 0 else { throw failure() }
    }

    /// Makes the file appear under its name. - Throws: when the data could not be stored; then nothing appears.
    public func commit() throws(Fault) {
        guard let file = stream.file else { throw failure() }
        guard fflush(file) == 0, temporary == nil || fsync(fileno(file)) == 0 else { throw failure() }
        stream.file = nil
        defer { UnfinishedFiles.remove(mark) }
        guard fclose(file) == 0 else { throw discarded() }
        if let temporary, rename(temporary, path) != 0 { throw discarded() }
    }

    private func failure() -> Fault {
        Fault("\(path): cannot be written: \(systemError())")
    }

    /// A failure after which nothing stays.
    private func discarded() -> Fault {
        let fault = failure()
        if let temporary { unlink(temporary) }
        return fault
    }

    deinit {
        if let file = stream.file {
            fclose(file)
            if let temporary { unlink(temporary) }
            UnfinishedFiles.remove(mark)
        }
    }
}
