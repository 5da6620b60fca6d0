import CSystem

/// The target of an output path.
enum OutputPlace {
    /// A descriptor that this process has open already, as in `/dev/stdout`.
    case descriptor(Int32)
    /// A device, a pipe or a socket: opened by its path.
    case special
    /// A file, which need not exist yet; its path with symbolic links followed.
    case file(String)

    init(_ path: String) {
        var path = path
        // The number of links that Linux follows.
        for _ in 0..<40 {
            if let number = OutputPlace.descriptor(path) {
                self = .descriptor(number)
                return
            }
            // Another process's descriptor: its link is no path.
            if system_is_proc(folderAndName(path).folder) { break }
            guard let target = link(at: path) else {
                var status = stat()
                let exists = stat(path, &status) == 0
                let kind = status.st_mode & UInt32(S_IFMT)
                self = !exists || kind == UInt32(S_IFREG) || kind == UInt32(S_IFDIR) ? .file(path) : .special
                return
            }
            path = target
        }
        self = .special
    }

    /// The number in a path of one of this process's own descriptors.
    private static func descriptor(_ path: String) -> Int32? {
        switch path {
        case "/dev/stdin": return STDIN_FILENO
        case "/dev/stdout": return STDOUT_FILENO
        case "/dev/stderr": return STDERR_FILENO
        default: break
        }
        let (folder, name) = folderAndName(path)
        guard ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd", "/proc/\(getpid())/fd"].contains(folder) else { return nil }
        return Int32(name)
    }
}

/// Opens or creates a file for appending lines; a path of an open descriptor, as in `/dev/stdout`, is duplicated instead. - Returns: a new
/// descriptor, negative on failure.
public func openForAppending(_ path: String) -> Int32 {
    if case .descriptor(let number) = OutputPlace(path) { return system_duplicate(number) }
    return system_open(path, O_WRONLY | O_CREAT | O_APPEND, 0o666)
}

/// Whether a file's last line is incomplete; false if the file does not exist or cannot be read.
public func endsWithinLine(_ path: String) -> Bool {
    guard case .file = OutputPlace(path), case let descriptor = system_open(path, O_RDONLY | O_NONBLOCK, 0), descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var last: UInt8 = 0
    return lseek(descriptor, -1, SEEK_END) >= 0 && read(descriptor, &last, 1) == 1 && last != 0x0A
}
