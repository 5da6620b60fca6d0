import CSystem

/// Names of temporary files; the handler of signals that end the program removes them.
enum UnfinishedFiles {
    /// A name and its slot in the list.
    struct Mark {
        fileprivate let slot: UnsafeMutablePointer<Int64>
        fileprivate let name: UnsafeMutablePointer<CChar>
    }

    private static let capacity = 64

    /// Addresses of the names, 0 for a free slot. A handler may read them at any time, so they only change atomically. `prepare` initialises them
    /// before the handler exists: lazy initialisation could deadlock in the handler.
    nonisolated(unsafe) private static var slots: UnsafeMutablePointer<Int64>?

    /// Allocates the list, then installs the handler; once.
    private static let isPrepared: Bool = {
        let slots = UnsafeMutablePointer<Int64>.allocate(capacity: capacity)
        slots.initialize(repeating: 0, count: capacity)
        UnfinishedFiles.slots = slots
        system_signals_prepare { signal in UnfinishedFiles.removeAll(signal) }
        return true
    }()

    /// Installs the handler. Write errors no longer raise signals.
    static func prepare() {
        _ = isPrepared
    }

    /// Prints `line` and exits with status 1 on SIGBUS, which a mapped file raises when it has become shorter.
    static func prepareMapping(orSay line: StaticString) {
        prepare()
        mappingFault = line
        system_signals_prepare_mapping { signal in UnfinishedFiles.removeAll(signal) }
    }

    nonisolated(unsafe) private static var mappingFault: StaticString = ""

    /// - Returns: nil when the list is full; a signal would then leave the file behind.
    static func add(_ path: String) -> Mark? {
        prepare()
        guard let slots, let name = strdup(path) else { return nil }
        for index in 0..<capacity where system_atomic_exchange(slots + index, 0, Int64(Int(bitPattern: name))) {
            return Mark(slot: slots + index, name: name)
        }
        free(name)
        return nil
    }

    static func remove(_ mark: Mark?) {
        // If the handler took the name first, it may still be reading it.
        guard let mark, system_atomic_exchange(mark.slot, Int64(Int(bitPattern: mark.name)), 0) else { return }
        free(mark.name)
    }

    /// The signal handler. It only calls `unlink`, `write`, `raise` and `_exit`, which are async-signal-safe.
    private static func removeAll(_ signal: Int32) {
        guard let slots else { return system_signal_end(signal) }
        for index in 0..<capacity {
            let address = system_atomic_load(slots + index)
            guard address != 0, system_atomic_exchange(slots + index, address, 0) else { continue }
            unlink(UnsafePointer<CChar>(bitPattern: Int(address))!)
        }
        if signal == SIGBUS {
            let text = mappingFault
            write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
            _exit(1)
        }
        system_signal_end(signal)
    }
}
