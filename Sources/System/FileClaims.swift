import CSystem

/// The files that a command reads and writes, compared before any work: no output replaces an input or another output.
///
/// Files are compared by device and inode, through links; a file that does not exist yet, by its folder and name. Devices and pipes
/// (`/dev/null`, a terminal) are shared by any number of outputs.
public struct FileClaims {
    /// The file that a path refers to.
    private struct Identity: Comparable {
        let device: UInt64, inode: UInt64
        /// Empty if the file exists; else its name within the folder that `device` and `inode` identify.
        let name: [UInt8]

        static func < (a: Identity, b: Identity) -> Bool {
            if a.device != b.device { return a.device < b.device }
            if a.inode != b.inode { return a.inode < b.inode }
            return a.name.lexicographicallyPrecedes(b.name)
        }
    }

    private struct Claim {
        let identity: Identity
        /// Its name in messages: an option, perhaps with a path.
        let name: String
        /// Empty for an open descriptor.
        let path: String
        let isWritten: Bool

        var text: String { path.isEmpty ? name : "\(name) \(path)" }
    }

    private var claims: [Claim] = []

    public init() {}

    /// Records a file or folder that is read. - Parameter name: its name in messages, as in `--model`.
    public mutating func read(_ path: String, as name: String) {
        add(path, name, isWritten: false)
    }

    /// Records a file or folder that is written.
    public mutating func write(_ path: String, as name: String) {
        add(path, name, isWritten: true)
    }

    /// Records an open descriptor, if it is a file.
    public mutating func read(descriptor: Int32, as name: String) {
        add(descriptor, name, isWritten: false)
    }

    public mutating func write(descriptor: Int32, as name: String) {
        add(descriptor, name, isWritten: true)
    }

    /// - Throws: when a file is written that is also read, or written twice.
    public func check() throws(Fault) {
        let order = claims.indices.sorted { (a: Int, b: Int) -> Bool in
            if claims[a].identity != claims[b].identity { return claims[a].identity < claims[b].identity }
            return a < b
        }
        var first = 0
        for position in order.indices.dropFirst() {
            if claims[order[position]].identity != claims[order[first]].identity {
                first = position
                continue
            }
            // Of several claims to one file, none may write.
            for other in order[first..<position] where claims[order[position]].isWritten || claims[other].isWritten {
                let (a, b) = (claims[other], claims[order[position]])
                let (output, rival) = b.isWritten ? (b, a) : (a, b)
                throw Fault("\(output.text): is \(rival.path == output.path ? rival.name : rival.text) too")
            }
        }
    }

    private mutating func add(_ path: String, _ name: String, isWritten: Bool) {
        guard let identity = FileClaims.identity(path) else { return }
        claims.append(Claim(identity: identity, name: name, path: path, isWritten: isWritten))
    }

    private mutating func add(_ descriptor: Int32, _ name: String, isWritten: Bool) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, let identity = FileClaims.identity(status) else { return }
        claims.append(Claim(identity: identity, name: name, path: "", isWritten: isWritten))
    }

    /// Nil for devices, pipes and sockets.
    private static func identity(_ status: stat) -> Identity? {
        let kind = status.st_mode & UInt32(S_IFMT)
        guard kind == UInt32(S_IFREG) || kind == UInt32(S_IFDIR) else { return nil }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino), name: [])
    }

    /// For a path that need not exist: the nearest existing folder, and the rest of the path.
    private static func identity(_ path: String) -> Identity? {
        var status = stat()
        if stat(path, &status) == 0 { return identity(status) }
        // A link whose target does not exist yet.
        var rest = path
        var links = 0
        while links < 40, let next = link(at: rest) { (rest, links) = (next, links + 1) }
        var name: [UInt8] = []
        while true {
            let parts = folderAndName(rest)
            if !parts.name.isEmpty, parts.name != "." { name = Array(parts.name.utf8) + (name.isEmpty ? [] : [0x2F] + name) }
            if stat(parts.folder, &status) == 0 { break }
            guard parts.folder != rest, parts.folder != "." else { return nil }
            rest = parts.folder
        }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino), name: name)
    }
}
