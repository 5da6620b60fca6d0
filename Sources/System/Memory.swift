import CSystem

/// The most memory that this process has held in RAM so far, in bytes; nil where `/proc` cannot be read.
public func peakResidentBytes() -> Int? {
    number(in: "/proc/self/status", after: "VmHWM:").map { $0 << 10 }
}

/// Bytes that this process may still allocate: the machine's free memory without swapping, within the limits of the process and of its
/// control groups. Limits that cannot be read are ignored; nil if none can be read.
///
/// - Parameter root: in front of `/proc` and `/sys`, for tests.
public func availableBytes(root: String = "") -> Int? {
    var least = number(in: root + "/proc/meminfo", after: "MemAvailable:").map { $0 << 10 }
    func limit(_ bytes: Int) { least = min(least ?? bytes, max(bytes, 0)) }
    var addresses = rlimit()
    if system_address_limit(&addresses) == 0, let used = number(in: root + "/proc/self/status", after: "VmSize:"), let most = Int(exactly: addresses.rlim_cur) {
        limit(most - used << 10)
    }
    for (version, folder) in controlGroups(of: "memory", root: root) {
        let files: (most: String, used: String, filePages: StaticString) =
            switch version {
            case .first: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache ")
            case .second: ("memory.max", "memory.current", "file ")
            }
        if let most = numbers(in: folder + files.most).first, let used = numbers(in: folder + files.used).first {
            // The page cache is released when memory is needed.
            limit(most - used + (number(in: folder + "memory.stat", after: files.filePages) ?? 0))
        }
    }
    return least
}

/// - Parameters:
///   - bytes: the memory about to be allocated; `held` bytes are released before.
///   - what: the beginning of the fault's message, "... needs".
/// - Throws: when less is free. Some megabytes are reserved for allocations that are not counted.
public func requireMemory(_ bytes: Int, held: Int = 0, for what: String) throws(Fault) {
    let need = bytes + (8 << 20)
    guard let free = availableBytes(), need > free + held else { return }
    throw Fault("\(what) \(need >> 20) MiB of memory, \((free + held) >> 20) MiB are free", kind: .memory)
}

/// Prints `text` and ends the program if even little address space is missing: without memory, Swift itself ends a program without a message.
public func requireAddressSpace(_ bytes: Int, orSay text: StaticString) {
    guard !system_has_addresses(bytes) else { return }
    // Nothing here may allocate memory.
    fwrite(text.utf8Start, 1, text.utf8CodeUnitCount, system_stderr())
    exit(1)
}
