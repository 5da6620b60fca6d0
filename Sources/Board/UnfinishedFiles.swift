import CBoard

/// Names of files that are being written, for the signal that ends the program: its handler removes them.
enum UnfinishedFiles {
    /// Where a name stands in the list, and its characters.
    struct Mark {
        fileprivate let slot: UnsafeMutablePointer<Int64>
        fileprivate let name: UnsafeMutablePointer<CChar>
    }

    private static let capacity = 64

    /// Addresses of the names, 0 where there is none. A handler may read them at any time: they change atomically only.
    nonisolated(unsafe) private static let slots: UnsafeMutablePointer<Int64> = {
        let slots = UnsafeMutablePointer<Int64>.allocate(capacity: capacity)
        slots.initialize(repeating: 0, count: capacity)
        board_on_end { signal in UnfinishedFiles.removeAll(signal) }
        return slots
    }()

    /// - Returns: nil when too many files are being written; such a one would stay behind.
    static func add(_ path: String) -> Mark? {
        guard let name = strdup(path) else { return nil }
        for index in 0..<capacity where board_atomic_exchange(slots + index, 0, Int64(Int(bitPattern: name))) {
            return Mark(slot: slots + index, name: name)
        }
        free(name)
        return nil
    }

    static func remove(_ mark: Mark?) {
        // Where the handler was faster, it still reads the name.
        guard let mark, board_atomic_exchange(mark.slot, Int64(Int(bitPattern: mark.name)), 0) else { return }
        free(mark.name)
    }

    /// The handler: calls nothing but `unlink` and `raise`, which POSIX allows there.
    private static func removeAll(_ signal: Int32) {
        for index in 0..<capacity {
            let address = board_atomic_load(slots + index)
            guard address != 0, board_atomic_exchange(slots + index, address, 0) else { continue }
            unlink(UnsafePointer<CChar>(bitPattern: Int(address))!)
        }
        // The default action again, which takes effect when the handler returns.
        raise(signal)
    }
}
