import Foundation
import Service
import TestSupport
import Testing

@Suite struct HealthTests {
    @Test func quantilesAreThoseOfTheSortedValues() {
        var generator = SplitMix(seed: 3), durations = Durations(), values: [Double] = []
        for _ in 0..<5000 {
            let value = exp(Double(generator.next() >> 40) / Double(1 << 24) * 12 - 5)
            values.append(value)
            durations.add(value)
        }
        values.sort()
        for share in [0.01, 0.25, 0.5, 0.95, 0.999, 1] {
            let exact = values[Int((share * 5000).rounded(.up)) - 1]
            #expect(abs(durations.quantile(share) / exact - 1) < 1.0 / 60, "\(share): \(durations.quantile(share)) of \(exact)")
        }
        #expect(durations.count == 5000 && durations.longest == values.last && abs(durations.total / values.reduce(0, +) - 1) < 1e-9)
    }

    @Test func extremes() {
        var durations = Durations()
        #expect(durations.quantile(0.5) == 0)
        for value in [0, -1, .nan, 1e-9, 1e30, .infinity] { durations.add(value) }
        #expect(durations.count == 6 && durations.quantile(0.01) < 0.001)
        var one = Durations()
        one.add(20)
        #expect(one.quantile(0.5) <= 20 && one.quantile(0.5) > 19.5)
    }

    @Test func whatTheKernelTells() throws {
        let folder = try TemporaryFolder()
        func put(_ path: String, _ text: String) throws {
            let whole = folder.path(path)
            try FileManager.default.createDirectory(atPath: (whole as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try text.write(toFile: whole, atomically: false, encoding: .utf8)
        }
        #expect(Health.temperature(root: folder.path) == nil && Health.clock(root: folder.path) == nil)
        for (zone, text) in ["48312\n", "-5000\n", "61000\n", "850000\n", "nothing\n"].enumerated() { try put("sys/class/thermal/thermal_zone\(zone)/temp", text) }
        #expect(Health.temperature(root: folder.path) == 61)
        for (core, (now, most)) in [("600000", "1800000"), ("2400000", "2400000"), ("x", "9900000")].enumerated() {
            try put("sys/devices/system/cpu/cpu\(core)/cpufreq/scaling_cur_freq", now)
            try put("sys/devices/system/cpu/cpu\(core)/cpufreq/cpuinfo_max_freq", most)
        }
        #expect(Health.clock(root: folder.path)! == (2400, 2400))
        #expect(try #require(Health.residentBytes()) > 1 << 20)
    }
}
