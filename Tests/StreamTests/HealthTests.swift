import Foundation
import System
import TestSupport
import Testing

@Suite struct HealthTests {
    @Test func quantilesAreThoseOfTheSortedValues() {
        var generator = SplitMix(seed: 3)
        var durations = LatencyHistogram()
        var values: [Double] = []
        for _ in 0..<5000 {
            let value = exp(Double(generator.next() >> 40) / Double(1 << 24) * 12 - 5)
            values.append(value)
            durations.add(value)
        }
        values.sort()
        for fraction in [0.01, 0.25, 0.5, 0.95, 0.999, 1] {
            let exact = values[Int((fraction * 5000).rounded(.up)) - 1]
            #expect(abs(durations.quantile(fraction) / exact - 1) < 1.0 / 60, "\(fraction): \(durations.quantile(fraction)) of \(exact)")
        }
        #expect(durations.count == 5000 && durations.longest == values.last && abs(durations.total / values.reduce(0, +) - 1) < 1e-9)
    }

    @Test func extremes() {
        var durations = LatencyHistogram()
        #expect(durations.quantile(0.5) == 0)
        for value in [0, -1, .nan, 1e-9, 1e30, .infinity] { durations.add(value) }
        #expect(durations.count == 6 && durations.quantile(0.01) < 0.001)
        var one = LatencyHistogram()
        one.add(20)
        #expect(one.quantile(0.5) <= 20 && one.quantile(0.5) > 19.5)
    }

    @Test func whatTheKernelTells() throws {
        let folder = try TemporaryFolder()
        func put(_ path: String, _ text: String) throws { try self.put(path, text, in: folder) }
        #expect(Health.temperature(root: folder.path) == nil && Health.clock(root: folder.path) == nil)
        for (zone, text) in ["48312\n", "-5000\n", "61000\n", "850000\n", "nothing\n"].enumerated() {
            try put("sys/class/thermal/thermal_zone\(zone)/temp", text)
        }
        #expect(Health.temperature(root: folder.path) == 61)
        for (core, (now, most)) in [("600000", "1800000"), ("2400000", "2400000"), ("x", "9900000")].enumerated() {
            try put("sys/devices/system/cpu/cpu\(core)/cpufreq/scaling_cur_freq", now)
            try put("sys/devices/system/cpu/cpu\(core)/cpufreq/cpuinfo_max_freq", most)
        }
        #expect(Health.clock(root: folder.path)! == (2400, 2400))
        #expect(try #require(Health.residentBytes()) > 1 << 20)
    }

    private func put(_ path: String, _ text: String, in folder: TemporaryFolder) throws {
        let whole = folder.path(path)
        try FileManager.default.createDirectory(atPath: (whole as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: whole, atomically: false, encoding: .utf8)
    }

    /// The machine's free memory, and the limits of both versions of control groups, those of outer groups included.
    @Test func memoryThatMayBeTaken() throws {
        let folder = try TemporaryFolder()
        func put(_ path: String, _ text: String) throws { try self.put(path, text, in: folder) }
        var available: Int? { availableBytes(root: folder.path).map { $0 >> 20 } }
        #expect(available == nil)
        try put("proc/meminfo", "MemTotal:        1048576 kB\nMemFree:          100000 kB\nMemAvailable:     524288 kB\n")
        #expect(available == 512)
        // Version 2.
        try put("proc/self/cgroup", "0::/system.slice/camera.service\n")
        #expect(available == 512)
        let service = "sys/fs/cgroup/system.slice/camera.service/"
        try put(service + "memory.max", "max\n")
        try put(service + "memory.current", "104857600\n")
        #expect(available == 512)
        try put(service + "memory.max", "209715200\n")
        #expect(available == 100)
        try put(service + "memory.stat", "anon 1000\nfile 52428800\nfile_mapped 5\n")
        #expect(available == 150)
        try put("sys/fs/cgroup/system.slice/memory.max", "314572800\n")
        try put("sys/fs/cgroup/system.slice/memory.current", "293601280\n")
        #expect(available == 20)
        // Version 1, alone and beside version 2; its "no limit" is a large number.
        try put("proc/self/cgroup", "12:cpu,cpuacct:/elsewhere\n5:hugetlb,memory:/robot\n1:name=systemd:/robot\n")
        #expect(available == 512)
        try put("sys/fs/cgroup/memory/robot/memory.limit_in_bytes", "9223372036854771712\n")
        try put("sys/fs/cgroup/memory/robot/memory.usage_in_bytes", "104857600\n")
        #expect(available == 512)
        try put("sys/fs/cgroup/memory/robot/memory.limit_in_bytes", "146800640\n")
        try put("sys/fs/cgroup/memory/robot/memory.stat", "cache 7\ntotal_cache 10485760\n")
        #expect(available == 50)
        try put("proc/self/cgroup", "5:memory:/robot\n0::/system.slice\n")
        #expect(available == 20)
        // A group that is over its limit has nothing left.
        try put("sys/fs/cgroup/memory/robot/memory.limit_in_bytes", "1048576\n")
        #expect(available == 0)
        try put("proc/self/cgroup", "nonsense\n:::\n\n")
        #expect(available == 512)
    }

    /// The processor time of control groups, in processors; never more than the threads may run on.
    @Test func processorsThatMayBeUsed() throws {
        let folder = try TemporaryFolder()
        let all = processorCount(root: folder.path)
        func put(_ path: String, _ text: String) throws { try self.put(path, text, in: folder) }
        var count: Int { processorCount(root: folder.path) }
        #expect(all >= 1 && all <= ProcessInfo.processInfo.processorCount)
        // Version 2.
        try put("proc/self/cgroup", "0::/robot/camera\n")
        try put("sys/fs/cgroup/robot/camera/cpu.max", "max 100000\n")
        #expect(count == all)
        try put("sys/fs/cgroup/robot/camera/cpu.max", "6400000 100000\n")
        #expect(count == all)
        try put("sys/fs/cgroup/robot/cpu.max", "50000 100000\n")
        #expect(count == 1)
        try put("sys/fs/cgroup/robot/cpu.max", "100001 100000\n")
        #expect(count == min(all, 2))
        // Version 1.
        try put("proc/self/cgroup", "3:cpuacct,cpu:/robot\n")
        #expect(count == all)
        try put("sys/fs/cgroup/cpu/robot/cpu.cfs_quota_us", "-1\n")
        try put("sys/fs/cgroup/cpu/robot/cpu.cfs_period_us", "100000\n")
        #expect(count == all)
        try put("sys/fs/cgroup/cpu/robot/cpu.cfs_quota_us", "30000\n")
        #expect(count == 1)
        try put("sys/fs/cgroup/cpu/robot/cpu.cfs_period_us", "nonsense\n")
        #expect(count == all)
    }
}
