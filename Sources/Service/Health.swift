import CBoard

/// What the kernel tells of the machine while it works. Nil where it does not.
public enum Health {
    /// Of the warmest zone, in degrees Celsius.
    public static func temperature(root: String = "") -> Double? {
        var warmest: Double?
        for zone in 0..<32 {
            guard let value = number("\(root)/sys/class/thermal/thermal_zone\(zone)/temp") else { continue }
            let degrees = Double(value) / 1000
            // Sensors that are off say absurd things.
            if degrees > -40, degrees < 150, degrees > warmest ?? -100 { warmest = degrees }
        }
        return warmest
    }

    /// Of the fastest core now, and of the fastest at its best, in megahertz.
    public static func clock(root: String = "") -> (now: Int, most: Int)? {
        var now = 0, most = 0
        for core in 0..<64 {
            let folder = "\(root)/sys/devices/system/cpu/cpu\(core)/cpufreq/"
            guard let current = number(folder + "scaling_cur_freq"), let limit = number(folder + "cpuinfo_max_freq") else { continue }
            now = max(now, current / 1000)
            most = max(most, limit / 1000)
        }
        return most > 0 ? (now, most) : nil
    }

    /// Memory that this process holds in RAM now, in bytes.
    public static func residentBytes() -> Int? {
        // The second number is in pages.
        number("/proc/self/statm", at: 1).map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
    }

    /// A whole number, perhaps negative, of a file's first line: the first, or the one after so many blanks.
    private static func number(_ path: String, at position: Int = 0) -> Int? {
        guard let stream = fopen(path, "rb") else { return nil }
        defer { fclose(stream) }
        var value: Int?, isNegative = false, skipped = 0
        while case let byte = getc(stream), byte != EOF, byte != 0x0A {
            if skipped < position {
                if byte == 0x20 { skipped += 1 }
            } else if byte == 0x2D, value == nil {
                isNegative = true
            } else if byte >= 0x30, byte <= 0x39, (value ?? 0) < 1 << 40 {
                value = (value ?? 0) * 10 + Int(byte - 0x30)
            } else {
                break
            }
        }
        return value.map { isNegative ? -$0 : $0 }
    }
}
