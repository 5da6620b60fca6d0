import Foundation
import System
import TestSupport
import Testing

@Suite struct DataCachesTests {
    /// A `/sys` with the caches (level, type, size, processors that share it) of each core.
    private func caches(_ cores: [[(level: String, type: String, size: String, sharing: String)]]) throws -> DataCaches {
        let folder = try TemporaryFolder()
        for (core, caches) in cores.enumerated() {
            for (index, cache) in caches.enumerated() {
                let place = "sys/devices/system/cpu/cpu\(core)/cache/index\(index)/"
                for (name, text) in [("level", cache.level), ("type", cache.type), ("size", cache.size), ("shared_cpu_list", cache.sharing)] {
                    try FileManager.default.createDirectory(atPath: folder.path(place), withIntermediateDirectories: true)
                    _ = try folder.file(place + name, Array("\(text)\n".utf8))
                }
            }
        }
        return DataCaches(root: folder.path)
    }

    @Test func smallestOfTheCores() throws {
        let little = [("1", "Data", "32K", "0"), ("1", "Instruction", "16K", "0"), ("2", "Unified", "128K", "0"), ("3", "Unified", "3M", "0-1")]
        let big = [("1", "Data", "64K", "1"), ("1", "Instruction", "64K", "1"), ("2", "Unified", "512K", "1")]
        let found = try caches([little, big])
        #expect(found.firstLevel == 32 << 10 && found.secondLevel == 128 << 10)
    }

    @Test func sharedSecondLevel() throws {
        let found = try caches(Array(repeating: [("1", "Data", "32K", "0"), ("2", "Unified", "1M", "0-2,3")], count: 4))
        #expect(found.firstLevel == 32 << 10 && found.secondLevel == 256 << 10)
    }

    @Test func unknown() throws {
        #expect(DataCaches(root: "/no/such/folder") == DataCaches(root: "/dev/null"))
        let strange = try caches([[("1", "Data", "", "0"), ("1", "Data", "-32K", "0"), ("2", "Unified", "12Q", "x"), ("2", "Unified", "99999999999K", "0")]])
        #expect(strange.firstLevel == nil && strange.secondLevel == nil)
    }
}
