import System
import TestSupport
import Testing

@Suite struct ProcessorInfoTests {
    private func name(_ text: String) throws -> String? {
        let folder = try TemporaryFolder()
        return ProcessorInfo(list: try folder.file("cpuinfo", Array(text.utf8))).name
    }

    @Test func names() throws {
        #expect(
            try name("processor\t: 0\nmodel\t\t: 85\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.80GHz \nmodel name\t: other\n") == "Intel(R) Xeon(R) CPU @ 2.80GHz")
        func core(_ part: String) -> String { "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: \(part)\n\n" }
        #expect(try name(core("0xd0b")) == "0x41/0xd0b")
        // Each kind once; without a line feed at the end.
        #expect(try name(core("0xd05") + core("0xd05") + core("0xd0b") + "CPU implementer : 0x53\nCPU part : 0x002") == "0x41/0xd05, 0x41/0xd0b, 0x53/0x2")
    }

    @Test func unknown() throws {
        for text in ["", "flags : fpu\n", "model name\t: \n", "CPU part\t: d03\n", "CPU part\t: 0x\n", "CPU part\t: 0x-1\n"] {
            #expect(try name(text) == nil, "\(text)")
        }
        #expect(ProcessorInfo(list: "/no/such/file").name == nil)
    }
}
