import CSystem

/// A file mapped read-only into memory; its pages are read when first touched and can be dropped again.
public final class MappedFile {
    public let path: String
    public let bytes: UnsafeRawBufferPointer

    /// - Throws: when `path` cannot be opened or mapped, or is no regular file.
    public init(path: String) throws(Fault) {
        let (descriptor, count) = try openRegularFile(path)
        defer { close(descriptor) }
        self.path = path
        guard count > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = system_map(descriptor, count) else {
            let reason = systemError()
            try requireMemory(count, for: "\(path): mapping it needs")
            throw Fault("\(path): cannot be mapped: \(reason)")
        }
        bytes = UnsafeRawBufferPointer(start: base, count: count)
    }

    /// Releases the pages that are wholly inside `range` (byte offsets); the system reads them again when needed.
    public func release(_ range: Range<Int>) {
        guard let base = bytes.baseAddress else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let lower = (range.lowerBound + page - 1) / page * page
        let upper = range.upperBound / page * page
        guard lower < upper else { return }
        madvise(UnsafeMutableRawPointer(mutating: base + lower), upper - lower, MADV_DONTNEED)
    }

    deinit {
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    }
}
