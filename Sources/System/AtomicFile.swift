import CSystem

/// A file that appears under its name only when it is complete: the data go to a temporary file in the same folder, which is synchronised and renamed.
///
/// Without `commit()` nothing is left behind, also when a signal ends the program. Symbolic links are followed and their target is replaced.
/// Devices, pipes and open descriptors (`/dev/null`, `/dev/stdout`) are written to directly.
public final class AtomicFile {
    public let path: String
    /// The temporary file that replaces `target`; nil if `target` is written to directly.
    private let temporary: String?
    private let target: String
    private let mark: UnfinishedFiles.Mark?
    /// Negative when done.
    private var descriptor: Int32
    /// Collects small pieces; larger ones are written directly.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
    private var waiting = 0
    /// The offset at which the file begins in its target, which may have contents already, and the bytes written so far.
    private let start: Int
    private var length = 0

    /// - Throws: when the folder or the file cannot be written to.
    public init(path: String) throws(Fault) {
        self.path = path
        var temporary: String?
        var mark: UnfinishedFiles.Mark?
        var target = path
        switch OutputPlace(path) {
        case .descriptor(let number): descriptor = system_duplicate(number)
        case .special: descriptor = system_open(path, O_WRONLY | O_APPEND, 0)
        case .file(let file):
            target = file
            (descriptor, temporary, mark) = AtomicFile.create(beside: file)
        }
        (self.temporary, self.mark, self.target) = (temporary, mark, target)
        start = temporary == nil && descriptor >= 0 ? max(lseek(descriptor, 0, SEEK_CUR), 0) : 0
        guard descriptor >= 0 else { throw failure() }
    }

    /// Creates a new file with a random name next to `file`, with the permissions of the file that it will replace.
    private static func create(beside file: String) -> (Int32, String?, UnfinishedFiles.Mark?) {
        var old = stat()
        let exists = stat(file, &old) == 0
        if exists, old.st_mode & UInt32(S_IFMT) == UInt32(S_IFDIR) {
            system_set_errno(EISDIR)
            return (-1, nil, nil)
        }
        // A write-protected file is not replaced, although its folder would allow it.
        if exists, access(file, W_OK) != 0 { return (-1, nil, nil) }
        let (folder, name) = folderAndName(file)
        // Names are limited to 255 bytes.
        let start = (file.utf8.contains(0x2F) ? folder + "/" : "") + String(decoding: name.utf8.prefix(230), as: UTF8.self) + ".part-"
        for _ in 0..<8 {
            let temporary = start + hexadecimal(system_random())
            let mark = UnfinishedFiles.add(temporary)
            let descriptor = system_open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666)
            if descriptor >= 0 {
                if exists {
                    // Without the right to change the owner, the file keeps this user's.
                    if fchown(descriptor, old.st_uid, old.st_gid) != 0 { system_set_errno(0) }
                    fchmod(descriptor, old.st_mode & 0o7777)
                }
                return (descriptor, temporary, mark)
            }
            let error = system_errno()
            UnfinishedFiles.remove(mark)
            system_set_errno(error)
            guard error == EEXIST else { break }
        }
        return (-1, nil, nil)
    }

    /// Appends bytes. - Throws: on a full disk or another write error.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        if bytes.count > buffer.count - waiting { try flush() }
        guard bytes.count <= buffer.count else { return try store(bytes) }
        guard let base = bytes.baseAddress else { return }
        (buffer.baseAddress! + waiting).copyMemory(from: base, byteCount: bytes.count)
        waiting += bytes.count
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

    /// Appends bytes that are complete in themselves: if they cannot be stored, the file is as before and may still be
    /// committed. - Throws: on a full disk or another write error.
    public func append(whole bytes: [UInt8]) throws(Fault) {
        try flush()
        let before = length
        do throws(Fault) {
            try write(bytes)
            try flush()
        } catch {
            waiting = 0
            // A part of them may have been stored.
            if temporary != nil, ftruncate(descriptor, before) == 0, lseek(descriptor, before, SEEK_SET) == before { length = before }
            throw error
        }
    }

    /// Overwrites bytes already written at `offset`, then continues at the end. - Throws: also when the target cannot be
    /// overwritten: a pipe, or a file opened for appending.
    public func overwrite(at offset: Int, _ bytes: [UInt8]) throws(Fault) {
        try flush()
        let end = length
        guard !system_appends(descriptor) else { throw Fault("\(path): cannot be written: opened for appending only") }
        guard lseek(descriptor, start + offset, SEEK_SET) == start + offset else { throw failure() }
        try write(bytes)
        try flush()
        guard lseek(descriptor, start + end, SEEK_SET) == start + end else { throw failure() }
        length = end
    }

    /// Makes the file appear under its name. - Throws: when the data could not be stored; then nothing appears.
    public func commit() throws(Fault) {
        guard descriptor >= 0 else { return }
        try flush()
        guard temporary == nil || fsync(descriptor) == 0 else { throw failure() }
        let open = descriptor
        descriptor = -1
        defer { UnfinishedFiles.remove(mark) }
        guard close(open) == 0 else { throw discarded() }
        if let temporary, rename(temporary, target) != 0 { throw discarded() }
    }

    private func flush() throws(Fault) {
        let count = waiting
        waiting = 0
        try store(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }

    private func store(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
        guard writeAll(bytes, to: descriptor) else { throw failure() }
        length += bytes.count
    }

    private func failure() -> Fault {
        Fault("\(path): cannot be written: \(systemError())")
    }

    /// A failure after which no file is left behind.
    private func discarded() -> Fault {
        let fault = failure()
        if let temporary { unlink(temporary) }
        return fault
    }

    deinit {
        if descriptor >= 0 {
            close(descriptor)
            if let temporary { unlink(temporary) }
            UnfinishedFiles.remove(mark)
        }
        buffer.deallocate()
    }
}
