import Foundation
import System
import TestSupport
import Testing

@Suite struct ProcessorCoresTests {
    typealias Cache = (level: String, type: String, size: String, sharing: String)

    /// What is found where `/sys` has these caches of each core and `/proc/cpuinfo` this text.
    private func cores(_ cores: [[Cache]], info: String = "") throws -> [ProcessorCore] {
        let folder = try TemporaryFolder()
        func write(_ text: String, _ place: String, _ name: String) throws {
            try FileManager.default.createDirectory(atPath: folder.path(place), withIntermediateDirectories: true)
            _ = try folder.file("\(place)/\(name)", Array(text.utf8))
        }
        for (core, caches) in cores.enumerated() {
            for (index, cache) in caches.enumerated() {
                let place = "sys/devices/system/cpu/cpu\(core)/cache/index\(index)"
                for (name, text) in [("level", cache.level), ("type", cache.type), ("size", cache.size), ("shared_cpu_list", cache.sharing)] {
                    try write(text + "\n", place, name)
                }
            }
        }
        try write(info, "proc", "cpuinfo")
        return processorCores(root: folder.path)
    }

    private func info(_ parts: [(number: Int, part: String)]) -> String {
        parts.map { "processor\t: \($0.number)\nCPU implementer\t: 0x41\nCPU part\t: \($0.part)\n\n" }.joined()
    }

    @Test func bigAndLittle() throws {
        let little: [Cache] = [("1", "Data", "32K", "0"), ("1", "Instruction", "16K", "0"), ("2", "Unified", "128K", "0"), ("3", "Unified", "3M", "0-1")]
        let big: [Cache] = [("1", "Data", "64K", "1"), ("1", "Instruction", "64K", "1"), ("2", "Unified", "512K", "1")]
        #expect(
            try cores([little, big], info: info([(0, "0xd05"), (1, "0xd0b")])) == [
                ProcessorCore(firstLevel: 32 << 10, secondLevel: 128 << 10, issuesInOrder: true),
                ProcessorCore(firstLevel: 64 << 10, secondLevel: 512 << 10, issuesInOrder: false),
            ])
    }

    @Test func sharedSecondLevel() throws {
        let found = try cores(Array(repeating: [("1", "Data", "32K", "0"), ("2", "Unified", "1M", "0-2,3")], count: 4))
        #expect(found == Array(repeating: ProcessorCore(firstLevel: 32 << 10, secondLevel: 256 << 10), count: 4))
    }

    /// Without caches, and with processors that are switched off.
    @Test func partsAlone() throws {
        let found = try cores([], info: info([(1, "0xd03"), (3, "0xd08")]))
        #expect(found.map(\.issuesInOrder) == [true, true, true, false])
    }

    @Test func unknown() throws {
        #expect(processorCores(root: "/no/such/folder") == [ProcessorCore()])
        #expect(try cores([], info: "processor : -1\nprocessor : 99999999999\nCPU part : 0xd03\nmodel name : x\n") == [ProcessorCore()])
        let strange = try cores([[("1", "Data", "", "0"), ("1", "Data", "-32K", "0"), ("2", "Unified", "12Q", "x"), ("2", "Unified", "99999999999K", "0")]])
        #expect(strange == [ProcessorCore()])
    }
}
