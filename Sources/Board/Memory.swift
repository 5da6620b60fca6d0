import CBoard

/// The most memory that this process has held in RAM so far, in bytes; nil where `/proc` does not tell.
public func peakResidentBytes() -> Int? {
    number(in: "/proc/self/status", after: "VmHWM:").map { $0 << 10 }
}

/// Bytes that this process may still take: what the machine has free without swapping, within the limits of the process and of its
/// control groups (version 2). Nil where nothing of it can be read; what cannot be read counts as no limit.
public func availableBytes() -> Int? {
    var least = number(in: "/proc/meminfo", after: "MemAvailable:").map { $0 << 10 }
    func limit(_ bytes: Int) { least = min(least ?? bytes, max(bytes, 0)) }
    var addresses = rlimit()
    if board_address_limit(&addresses) == 0, let used = number(in: "/proc/self/status", after: "VmSize:"), let most = Int(exactly: addresses.rlim_cur) {
        limit(most - used << 10)
    }
    var group = controlGroup()
    while let path = group {
        if let most = number(in: "/sys/fs/cgroup\(path)/memory.max", after: ""), let used = number(in: "/sys/fs/cgroup\(path)/memory.current", after: "") {
            // Pages of files go when others need the room.
            limit(most - used + (number(in: "/sys/fs/cgroup\(path)/memory.stat", after: "file ") ?? 0))
        }
        group = parent(of: path)
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
    throw Fault("\(what) \(need >> 20) MiB of memory, \((free + held) >> 20) MiB are free")
}

/// Path of this process's control group: `/` or `/system.slice/camera.service`.
private func controlGroup() -> String? {
    guard let stream = fopen("/proc/self/cgroup", "rb") else { return nil }
    defer { fclose(stream) }
    var line: [UInt8] = []
    while case let byte = getc(stream), byte != EOF {
        if byte == 0x0A {
            if line.starts(with: [0x30, 0x3A, 0x3A]) { return String(decoding: line[3...], as: UTF8.self) }
            line.removeAll()
        } else {
            line.append(UInt8(truncatingIfNeeded: byte))
        }
    }
    return nil
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
