import System
import TestSupport
import Testing

/// On processors with older and newer cores, only features that all cores have are used.
@Suite struct OlderCoresTests {
    /// `/proc/cpuinfo` of a processor with these cores: implementer and part.
    private func list(_ cores: [(String, String)]) -> String {
        var text = ""
        for (index, (implementer, part)) in cores.enumerated() {
            text += "processor\t: \(index)\nBogoMIPS\t: 48.00\nFeatures\t: fp asimd evtstrm aes crc32 atomics asimdhp cpuid asimdrdm asimddp\n"
            text += "CPU implementer\t: \(implementer)\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: \(part)\nCPU revision\t: 0\n\n"
        }
        return text
    }

    @Test func everyCoreCounts() throws {
        let folder = try TemporaryFolder()
        func isOlder(_ text: String) throws -> Bool { hasOlderCore(list: try folder.file("cpuinfo", Array(text.utf8))) }
        let a53 = ("0x41", "0xd03")
        let a55 = ("0x41", "0xd05")
        let a72 = ("0x41", "0xd08")
        let a76 = ("0x41", "0xd0b")
        let m3 = ("0x53", "0x002")
        // Raspberry Pi 3, 4, 5 and RK3588: alike, or new throughout.
        #expect(try isOlder(list([a53, a53, a53, a53])) && isOlder(list([a72, a72, a72, a72])))
        #expect(try !isOlder(list([a76, a76, a76, a76])) && !isOlder(list([a55, a55, a55, a55, a76, a76, a76, a76])))
        // RK3399; the Exynos 9810, with its older cores at any place in the list.
        #expect(try isOlder(list([a53, a53, a53, a53, a72, a72])))
        #expect(try isOlder(list([a55, a55, a55, a55, m3, m3, m3, m3])) && isOlder(list([m3, a55])) && isOlder(list([a55, m3, a55])))
        // A part's number counts with its implementer only.
        #expect(try !isOlder(list([("0x61", "0x002"), ("0x41", "0x002")])))
    }

    @Test func listsThatTellNothing() throws {
        let folder = try TemporaryFolder()
        for text in [
            "", "\n", "flags\t\t: fpu avx2\n", "CPU part", "CPU part\t: 0xd03\n", "CPU implementer\t: 0x41\nCPU part\t: 0xd0g\n",
            "CPU implementer\t: 0x41\nCPU part\t: 0xfffffffffffffffffd03\n", "CPU implementer\t: 65\nCPU part\t: 3331\n",
        ] {
            #expect(!hasOlderCore(list: try folder.file("cpuinfo", Array(text.utf8))), "\(text)")
        }
        #expect(!hasOlderCore(list: folder.path("absent")) && !hasOlderCore(list: folder.path))
    }
}
