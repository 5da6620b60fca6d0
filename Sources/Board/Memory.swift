import CBoard

/// The most memory that this process has held in RAM so far, in bytes; nil where `/proc` does not tell.
public func peakResidentBytes() -> Int? {
    statusBytes("/proc/self/status", "VmHWM:")
}

/// The number of kilobytes after `key` at the start of a line of a file such as `/proc/meminfo`, in bytes.
func statusBytes(_ path: String, _ key: StaticString) -> Int? {
    guard let stream = fopen(path, "rb") else { return nil }
    defer { fclose(stream) }
    var matched = 0, isAtStart = true, value: Int?
    while case let byte = getc(stream), byte != EOF {
        if matched == key.utf8CodeUnitCount {
            // Blanks, then digits.
            if byte >= 0x30, byte <= 0x39, (value ?? 0) < 1 << 40 {
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
    return value.map { $0 << 10 }
}
