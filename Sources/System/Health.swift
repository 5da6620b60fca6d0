import CSystem

/// Temperature, clock and memory as the kernel reports them; nil where it reports none.
public enum Health {
    /// Temperature of the warmest zone, in degrees Celsius.
    public static func temperature(root: String = "") -> Double? {
        var warmest: Double?
        for zone in 0..<32 {
            guard let value = numbers(in: "\(root)/sys/class/thermal/thermal_zone\(zone)/temp").first else { continue }
            let degrees = Double(value) / 1000
            // Sensors that are switched off report impossible values.
            if degrees > -40, degrees < 150, degrees > warmest ?? -100 { warmest = degrees }
        }
        return warmest
    }

    /// Clock of the fastest core now, and the highest clock of any core, in megahertz.
    public static func clock(root: String = "") -> (now: Int, most: Int)? {
        var now = 0
        var most = 0
        for core in 0..<64 {
            let folder = "\(root)/sys/devices/system/cpu/cpu\(core)/cpufreq/"
            guard let current = numbers(in: folder + "scaling_cur_freq").first, let limit = numbers(in: folder + "cpuinfo_max_freq").first else { continue }
            now = max(now, current / 1000)
            most = max(most, limit / 1000)
        }
        return most > 0 ? (now, most) : nil
    }

    /// Memory that this process holds in RAM now, in bytes.
    public static func residentBytes() -> Int? {
        // The second number is in pages.
        let pages = numbers(in: "/proc/self/statm")
        return pages.count > 1 ? pages[1] * Int(sysconf(Int32(_SC_PAGESIZE))) : nil
    }
}
