import CBoard

/// The most memory that this process has held in RAM so far, in bytes; nil where `/proc` does not tell.
public func peakResidentBytes() -> Int? {
    number(in: "/proc/self/status", after: "VmHWM:").map { $0 << 10 }
}

/// Bytes that this process may still take: what the machine has free without swapping, within the limits of the process and of its
/// control groups. Nil where nothing of it can be read; what cannot be read counts as no limit.
///
/// - Parameter root: in front of `/proc` and `/sys`, for tests.
public func availableBytes(root: String = "") -> Int? {
    var least = number(in: root + "/proc/meminfo", after: "MemAvailable:").map { $0 << 10 }
    func limit(_ bytes: Int) { least = min(least ?? bytes, max(bytes, 0)) }
    var addresses = rlimit()
    if board_address_limit(&addresses) == 0, let used = number(in: root + "/proc/self/status", after: "VmSize:"), let most = Int(exactly: addresses.rlim_cur) {
        limit(most - used << 10)
    }
    for (files, group) in controlGroups(root) {
        var path: String? = group
        while let group = path {
            let folder = root + "/sys/fs/cgroup\(files.hierarchy)\(group)/"
            if let most = number(in: folder + "\(files.most)", after: ""), let used = number(in: folder + "\(files.used)", after: "") {
                // Pages of files go when others need the room.
                limit(most - used + (number(in: folder + "memory.stat", after: files.filePages) ?? 0))
            }
            path = parent(of: group)
        }
    }
    return least
}

/// - Parameters:
///   - bytes: what is about to be taken, `held` of which comes back first.
///   - what: the beginning of the fault, "... needs".
/// - Throws: when so much is not free. Some megabytes are left to everything that nobody counts.
public func requireMemory(_ bytes: Int, held: Int = 0, for what: String) throws(Fault) {
    let need = bytes + (8 << 20)
    guard let free = availableBytes(), need > free + held else { return }
    throw Fault("\(what) \(need >> 20) MiB of memory, \((free + held) >> 20) MiB are free", kind: .memory)
}

/// Ends the program with a line of `text` where even little address space is missing: short of memory, Swift itself ends without a word.
public func requireAddressSpace(_ bytes: Int, orSay text: StaticString) {
    guard !board_has_addresses(bytes) else { return }
    // Nothing here may ask for memory.
    fwrite(text.utf8Start, 1, text.utf8CodeUnitCount, board_stderr())
    exit(1)
}

/// Where a version of Linux' control groups keeps what they may take.
private struct ControlGroupFiles {
    /// Below `/sys/fs/cgroup`.
    let hierarchy: StaticString
    let most, used: StaticString
    /// In `memory.stat`.
    let filePages: StaticString

    static let first = ControlGroupFiles(hierarchy: "/memory", most: "memory.limit_in_bytes", used: "memory.usage_in_bytes", filePages: "total_cache ")
    static let second = ControlGroupFiles(hierarchy: "", most: "memory.max", used: "memory.current", filePages: "file ")
}

/// This process's control groups that limit memory, by path: `/` or `/system.slice/camera.service`.
private func controlGroups(_ root: String) -> [(ControlGroupFiles, String)] {
    guard let stream = fopen(root + "/proc/self/cgroup", "rb") else { return [] }
    defer { fclose(stream) }
    var groups: [(ControlGroupFiles, String)] = [], line: [UInt8] = []
    while case let byte = getc(stream), byte != EOF {
        guard byte == 0x0A else {
            line.append(UInt8(truncatingIfNeeded: byte))
            continue
        }
        // Hierarchy, controllers (none in version 2), path.
        let parts = line.split(separator: 0x3A, maxSplits: 2, omittingEmptySubsequences: false)
        if parts.count == 3 {
            let path = String(decoding: parts[2], as: UTF8.self)
            if parts[1].isEmpty { groups.append((.second, path)) }
            if parts[1].split(separator: 0x2C).contains(where: { $0.elementsEqual("memory".utf8) }) { groups.append((.first, path)) }
        }
        line.removeAll()
    }
    return groups
}

/// The group above; nil above the root.
private func parent(of path: String) -> String? {
    let bytes = Array(path.utf8)
    guard bytes.count > 1, let slash = bytes.lastIndex(of: 0x2F) else { return nil }
    return slash == 0 ? "/" : String(decoding: bytes[..<slash], as: UTF8.self)
}

/// The decimal number after `key` at the start of a line of a small text file; nil without file, key or number.
private func number(in path: String, after key: StaticString) -> Int? {
    guard let stream = fopen(path, "rb") else { return nil }
    defer { fclose(stream) }
    var matched = 0, isAtStart = true, value: Int?
    while case let byte = getc(stream), byte != EOF {
        if matched == key.utf8CodeUnitCount {
            // Blanks, then digits.
            if byte >= 0x30, byte <= 0x39, (value ?? 0) < 1 << 56 {
                value = (value ?? 0) * 10 + Int(byte - 0x30)
            } else if value != nil || byte == 0x0A {
                break
            }
        } else if isAtStart, byte == Int32(key.utf8Start[matched]) {
            matched += 1
        } else {
            isAtStart = byte == 0x0A
            matched = 0
        }
    }
    return value
}
