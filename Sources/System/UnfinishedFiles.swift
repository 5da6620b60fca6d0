import CSystem

/// Names of files that are being written, for the signal that ends the program: its handler removes them.
enum UnfinishedFiles {
    /// Where a name stands in the list, and its characters.
    struct Mark {
        fileprivate let slot: UnsafeMutablePointer<Int64>
        fileprivate let name: UnsafeMutablePointer<CChar>
    }

    private static let capacity = 64

    /// Addresses of the names, 0 where there is none. A handler may read them at any time: they change atomically only. Not initialised on
    /// first use, as a handler could interrupt that and wait for it for ever: `prepare` comes before the handler.
    nonisolated(unsafe) private static var slots: UnsafeMutablePointer<Int64>?

    /// Once: makes room for the names, then has the handler called.
    private static let isPrepared: Bool = {
        let slots = UnsafeMutablePointer<Int64>.allocate(capacity: capacity)
        slots.initialize(repeating: 0, count: capacity)
        UnfinishedFiles.slots = slots
        system_signals_prepare { signal in UnfinishedFiles.removeAll(signal) }
        return true
    }()

    /// Has signals that end the program remove the files first; errors of writing are no signals from now on.
    static func prepare() {
        _ = isPrepared
    }

    /// Ends the program with `line` and exit status 1 where a mapped file is shorter than it was: no code could do so, as it runs nowhere in particular.
    static func prepareMapping(orSay line: StaticString) {
        prepare()
        mappingFault = line
        system_signals_prepare_mapping { signal in UnfinishedFiles.removeAll(signal) }
    }

    nonisolated(unsafe) private static var mappingFault: StaticString = ""

    /// - Returns: nil when too many files are being written; such a one would stay behind.
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
        // Where the handler was faster, it still reads the name.
        guard let mark, system_atomic_exchange(mark.slot, Int64(Int(bitPattern: mark.name)), 0) else { return }
        free(mark.name)
    }

    /// The handler: calls nothing but `unlink`, `write`, `raise` and `_exit`, which POSIX allows there.
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
