import Board
import Foundation
import Kernels
import Output
import TestSupport
import Testing

@Suite struct SinkTests {
    @Test func slowSinkHoldsUpNobody() throws {
        let gate = TestPipe(), written = Log<Int>()
        let sink = try SinkThread<Int>(capacity: 3, empty: 0) { number in
            var byte: UInt8 = 0
            _ = read(gate.reading, &byte, 1)
            written.add(number)
        }
        let start = monotonicMilliseconds()
        for number in 1...100 {
            sink.put { $0 = number }
            if number == 1 { usleep(50_000) }
        }
        #expect(monotonicMilliseconds() - start < 5000)
        #expect(sink.dropped == 96)
        #expect(!sink.finish(milliseconds: 30))
        #expect(sink.dropped == 99)
        for _ in 0..<4 { _ = [UInt8(0)].withUnsafeBytes { writeAll($0, to: gate.writing) } }
        #expect(sink.finish(milliseconds: 10_000))
        // The one at hand, and the newest.
        #expect(written.entries == [1, 98, 99, 100])
        close(gate.reading)
        close(gate.writing)
    }

    @Test func everythingIsWrittenInOrder() throws {
        let written = Log<Int>(), sink = try SinkThread<Int>(capacity: 1000, empty: 0) { written.add($0) }
        for number in 0..<1000 { sink.put { $0 = number } }
        #expect(sink.finish(milliseconds: 10_000) && sink.dropped == 0)
        #expect(written.entries == Array(0..<1000))
    }

    // MARK: - Lines

    @Test func linesAreAppendedToFiles() throws {
        let folder = try TemporaryFolder(), path = try folder.file("lines.json", Array("before\n".utf8))
        for line in ["one\n", "two\n"] { try LineOutput(path).write(Array(line.utf8)) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "before\none\ntwo\n")
        #expect(faultMessage { _ = try LineOutput(folder.path("none/here")) } == folder.path("none/here") + ": cannot be written: No such file or directory")
        #expect(faultMessage { try LineOutput("/dev/full").write([1]) } == "/dev/full: cannot be written: No space left on device")
        #expect(try LineOutput("-").isVital && !LineOutput(path).isVital)
    }

    @Test(arguments: ["127.0.0.1", "localhost", "[::1]"]) func linesAreSentAsDatagrams(host: String) throws {
        let isSix = host == "[::1]"
        let socket = socket(isSix ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(socket) }
        var six = sockaddr_in6(), four = sockaddr_in()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_addr = in6addr_loopback
        four.sin_family = sa_family_t(AF_INET)
        four.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let bound = isSix
            ? withUnsafePointer(to: &six) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, 28) } }
            : withUnsafePointer(to: &four) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, 16) } }
        // A machine without IPv6 has nothing to test here.
        guard bound == 0 else { return #expect(isSix) }
        var name = sockaddr_in6(), length = socklen_t(28)
        withUnsafeMutablePointer(to: &name) { _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) } }
        let port = UInt16(bigEndian: name.sin6_port)
        let output = try LineOutput("udp://\(host):\(port)")
        try output.write(Array("a line\n".utf8))
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = recv(socket, &buffer, 100, 0)
        #expect(count == 7 && Array(buffer[..<7]) == Array("a line\n".utf8))
        #expect(faultMessage { try output.write([UInt8](repeating: 32, count: 65508)) }?.contains("--no-masks") == true)
    }

    @Test func nobodyListens() throws {
        let output = try LineOutput("udp://127.0.0.1:9")
        for _ in 0..<5 { try output.write([1, 2, 3]) }
    }

    @Test(arguments: ["udp://", "udp://host", "udp://1.2.3.4", "udp://1.2.3.4:0", "udp://1.2.3.4:65536", "udp://robot.local:5005", "udp://:5005", "udp://1.2.3:7"])
    func wrongAddresses(address: String) {
        #expect(faultMessage { _ = try LineOutput(address) }?.hasPrefix("\(address): udp://ADDRESS:PORT") == true)
    }

    // MARK: - Pictures

    @Test func onlyTheNewestPicturesStay() throws {
        let folder = try TemporaryFolder()
        // 2026-11-21 10:38:55.123 UTC
        let start = 1_795_257_535_123.0
        for name in ["20250101T000000.000Z.png", "20250101T000001.000Z.png", "mine.png", "20250101T00000.0000Z.png"] { _ = try folder.file(name, [1]) }
        let series = try PictureSeries(folder: folder.path, keep: 3)
        #expect(series.path(capturedAt: start) == folder.path("20261121T103855.123Z.png"))
        for index in 0..<5 {
            let time = start + Double(index) * 1000.25
            try Data([2]).write(to: URL(filePath: series.path(capturedAt: time)))
            series.written(capturedAt: time)
        }
        #expect(try folder.contents() == ["20250101T00000.0000Z.png", "20261121T103857.123Z.png", "20261121T103858.123Z.png", "20261121T103859.124Z.png", "mine.png"])
        let all = try PictureSeries(folder: folder.path("new"), keep: nil)
        all.written(capturedAt: start)
        #expect(FileManager.default.fileExists(atPath: folder.path("new")))
        #expect(faultMessage { _ = try PictureSeries(folder: folder.path("none/here"), keep: 2) }?.contains("cannot be made a folder") == true)
    }
}
