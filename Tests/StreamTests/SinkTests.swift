import Foundation
import Kernels
import ModelFormat
import Network
import System
import TestSupport
import Testing

@testable import Imaging
@testable import Sinks

extension SinkResult {
    init(line: [UInt8]) {
        self.init()
        self.line = line
    }

    init(line: String) { self.init(line: Array(line.utf8)) }
}

@Suite struct SinkTests {
    @Test func slowSinkHoldsUpNobody() throws {
        let gate = TestPipe()
        let written = Log<Int>()
        let sink = try SinkThread<Int>(capacity: 3, empty: 0) { number in
            var byte: UInt8 = 0
            _ = read(gate.reading, &byte, 1)
            written.add(number)
            return 0
        }
        let start = monotonicMilliseconds()
        for number in 1...100 {
            sink.put { $0 = number }
            if number == 1 { usleep(50_000) }
        }
        #expect(monotonicMilliseconds() - start < 5000)
        #expect(sink.losses == (96, 0))
        #expect(!sink.finish(milliseconds: 30))
        #expect(sink.losses == (99, 0))
        for _ in 0..<4 { _ = [UInt8(0)].withUnsafeBytes { writeAll($0, to: gate.writing) } }
        #expect(sink.finish(milliseconds: 10_000))
        // The current result, and the newest.
        #expect(written.entries == [1, 98, 99, 100])
        close(gate.reading)
        close(gate.writing)
    }

    @Test func everythingIsWrittenInOrder() throws {
        let written = Log<Int>()
        let sink = try SinkThread<Int>(capacity: 1000, empty: 0) { number in
            written.add(number)
            return number % 10 == 0 ? 1 : 0
        }
        for number in 0..<1000 { sink.put { $0 = number } }
        // Results that could not be written are counted separately.
        #expect(sink.finish(milliseconds: 10_000) && sink.losses == (0, 100))
        #expect(written.entries == Array(0..<1000))
    }

    /// A sink that keeps all results holds the source back, at the end as well; `hurry` ends that.
    @Test(arguments: [false, true]) func sinkThatKeepsAll(isHurried: Bool) throws {
        let gate = TestPipe()
        let written = Log<Int>()
        let fed = Log<Int>()
        let sink = try SinkThread<Int>(capacity: 3, keepsAll: true, empty: 0) { number in
            var byte: UInt8 = 0
            _ = read(gate.reading, &byte, 1)
            written.add(number)
            return 0
        }
        let feeder = try System.Thread {
            for number in 1...20 {
                sink.put { $0 = number }
                fed.add(number)
            }
            sink.finish(milliseconds: 10_000)
            fed.add(0)
        }
        // One result is being written, three wait, and the next has no place.
        #expect(eventually { fed.entries.count == 4 })
        usleep(50_000)
        #expect(fed.entries == [1, 2, 3, 4] && written.entries.isEmpty)
        if isHurried { sink.hurry() }
        for _ in 0..<20 { _ = [UInt8(0)].withUnsafeBytes { writeAll($0, to: gate.writing) } }
        feeder.join()
        #expect(fed.entries == Array(1...20) + [0])
        #expect(written.entries.count + sink.losses.dropped == 20 && written.entries.last == 20)
        #expect(isHurried || sink.losses.dropped == 0)
        close(gate.reading)
        close(gate.writing)
    }

    // MARK: - Lines

    @Test func linesAreAppendedToFiles() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("lines.json", Array("before\n".utf8))
        for line in ["one\n", "two\n"] { try AppendedLineFileSink(path).accept(SinkResult(line: line)) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "before\none\ntwo\n")
        #expect(
            faultMessage { _ = try AppendedLineFileSink(folder.path("none/here")) } == folder.path("none/here")
                + ": cannot be written: No such file or directory")
        #expect(faultMessage { try AppendedLineFileSink("/dev/full").accept(SinkResult(line: [1])) } == "/dev/full: cannot be written: No space left on device")
        let factory = SinkFactory(.picture)
        #expect(try factory.lines("-").isVital && !factory.lines(path).isVital && !factory.lines("udp://127.0.0.1:9").isVital)
        #expect(SinkFactory.isNetwork("udp://127.0.0.1:9") && !SinkFactory.isNetwork("-") && !SinkFactory.isNetwork("udp"))
    }

    @Test(arguments: ["127.0.0.1", "localhost", "[::1]"]) func linesAreSentAsDatagrams(host: String) throws {
        let isSix = host == "[::1]"
        let socket = socket(isSix ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(socket) }
        var six = sockaddr_in6()
        var four = sockaddr_in()
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_addr = in6addr_loopback
        four.sin_family = sa_family_t(AF_INET)
        four.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let bound =
            isSix
            ? withUnsafePointer(to: &six) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, 28) } }
            : withUnsafePointer(to: &four) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, 16) } }
        // A machine without IPv6 has nothing to test here.
        guard bound == 0 else { return #expect(isSix) }
        var name = sockaddr_in6()
        var length = socklen_t(28)
        withUnsafeMutablePointer(to: &name) { _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) } }
        let port = UInt16(bigEndian: name.sin6_port)
        let output = try DatagramSink("udp://\(host):\(port)")
        try output.accept(SinkResult(line: "a line\n"))
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = recv(socket, &buffer, 100, 0)
        #expect(count == 7 && Array(buffer[..<7]) == Array("a line\n".utf8))
        #expect(faultMessage { try output.accept(SinkResult(line: [UInt8](repeating: 32, count: 65508))) }?.contains("--no-masks") == true)
    }

    /// It is no fault if no program listens; lines that the network reports as undeliverable are counted.
    @Test(arguments: ["127.0.0.1", "[::1]"]) func nobodyListens(host: String) throws {
        let output = try DatagramSink("udp://\(host):9")
        guard faultMessage({ try output.accept(SinkResult(line: [1, 2, 3])) }) == nil else { return #expect(host == "[::1]") }
        for _ in 0..<4 { try output.accept(SinkResult(line: [1, 2, 3])) }
        #expect(output.failedCount == 4)
    }

    /// Sending before the network is up, after it has come up, and with another address: the socket is not bound to an address.
    @Test func networkThatComesLater() throws {
        let output = try DatagramSink("udp://[fe80::1%no-such-if]:9")
        #expect(faultMessage { try output.accept(SinkResult(line: [1])) } == "udp://[fe80::1%no-such-if]:9: cannot be sent: No such device")
        #expect(output.failedCount == 1)
        // Of a network that this machine has no route to, the message depends on the machine.
        _ = try DatagramSink("udp://203.0.113.7:5005")
    }

    @Test func tornLinesStayAlone() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("lines.json", Array("{\"schema\":1,\"pic".utf8))
        let output = try AppendedLineFileSink(path)
        for line in ["one\n", "two\n"] { try output.accept(SinkResult(line: line)) }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "{\"schema\":1,\"pic\none\ntwo\n")
    }

    /// A slow reader of a non-blocking pipe.
    @Test func descriptorsThatDoNotBlock() throws {
        let pipe = TestPipe()
        let bytes = noise(1 << 20)
        let received = Log<[UInt8]>()
        #expect(fcntl(pipe.writing, F_SETFL, O_NONBLOCK) == 0)
        let reader = try System.Thread {
            var all: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 5000)
            while case let count = read(pipe.reading, &chunk, chunk.count), count > 0 {
                all += chunk[..<count]
                usleep(100)
            }
            received.add(all)
        }
        #expect(bytes.withUnsafeBytes { writeAll($0, to: pipe.writing) })
        close(pipe.writing)
        reader.join()
        #expect(received.entries == [bytes])
        close(pipe.reading)
    }

    @Test(arguments: [
        "udp://", "udp://host", "udp://1.2.3.4", "udp://1.2.3.4:0", "udp://1.2.3.4:65536", "udp://robot.local:5005", "udp://:5005", "udp://1.2.3:7",
    ])
    func wrongAddresses(address: String) {
        #expect(faultMessage { _ = try DatagramSink(address) }?.hasPrefix("\(address): udp://ADDRESS:PORT") == true)
    }

    // MARK: - Sinks of a run

    /// Records its results, and fails on lines that demand it.
    private final class ScriptedSink: Sink {
        let seen = Log<String>()
        var draws: Bool { needs.contains(.canvas) }

        init(_ name: String, needs: SinkNeeds, isVital: Bool = false) {
            super.init(name, needs: needs, form: needs.contains(.line) ? .line : .picture, isVital: isVital)
        }

        override func write(_ result: SinkResult) throws(Fault) {
            let line = String(decoding: result.line, as: UTF8.self)
            if let canvas = result.canvas {
                seen.add("\(canvas.pixels[0])")
                canvas.pixels[0] += 1
            } else {
                seen.add(line)
            }
            if line == "bad" { throw Fault("\(name): bad") }
        }
    }

    private func result(_ frame: Int) -> SinkResult {
        SinkResult(
            Segmentation(task: .panoptic, size: Size(height: 1, width: 2)), legend: Legend([]), picture: "p",
            frame: SegmentsRecord.Frame(number: frame, skipped: 0, capturedAt: 0, age: 0), totalMilliseconds: 1)
    }

    /// The line is made once, after the sinks that come before the first one that needs it; a sink that fails does not keep others from their results.
    @Test func setGivesEverySinkItsResult() throws {
        let sinks = SinkSet()
        let (plain, failing, last) = (ScriptedSink("a", needs: []), ScriptedSink("b", needs: .line), ScriptedSink("c", needs: .line))
        for sink in [plain, failing, last] { sinks.add(sink) }
        var result = result(1)
        var made = 0
        var faults: [String] = []
        sinks.accept(
            &result,
            line: {
                made += 1
                #expect(plain.seen.entries == [""])
                return Array("bad".utf8)
            }, failed: { faults.append($0.name + ": " + $1.message) })
        #expect(made == 1 && faults == ["b: b: bad", "c: c: bad"] && failing.seen.entries == ["bad"] && last.seen.entries == ["bad"])
        let losses = sinks.finish(within: 0)
        #expect(losses.lines == 2 && losses.unwritten == 2 && losses.pictures == 0)
    }

    /// Sinks that draw on the frame do not see one another's drawing, and give their canvases back.
    @Test func everyCanvasIsItsOwn() throws {
        let sinks = SinkSet()
        let scripted = [ScriptedSink("a", needs: .canvas), ScriptedSink("b", needs: .canvas)]
        for sink in scripted { sinks.add(try QueuedSink(sink, capacity: 2, keepsAll: true) { _ in }) }
        for frame in 1...20 {
            let canvas = try #require(sinks.canvas(Size(height: 1, width: 2)))
            if frame % 5 == 0 {
                sinks.returnCanvas()
                continue
            }
            for index in 0..<6 { canvas.pixels[index] = UInt8(frame) }
            var result = result(frame)
            result.canvas = canvas
            sinks.accept(&result, line: { [] }, failed: { _, _ in })
        }
        #expect(sinks.finish(within: 10_000).isEmpty)
        let frames = (1...20).filter { $0 % 5 != 0 }.map { "\($0)" }
        #expect(scripted[0].seen.entries == frames && scripted[1].seen.entries == frames)
    }

    /// On a sink's own thread: the fault of a vital one ends the run, others are counted.
    @Test(arguments: [false, true]) func faultsOfQueuedSinks(isVital: Bool) throws {
        let ends = Log<String>()
        let sink = ScriptedSink("s", needs: .line, isVital: isVital)
        let queued = try QueuedSink(sink, capacity: 5, keepsAll: true) { ends.add($0.message) }
        for line in ["good", "bad", "good"] { try queued.accept(SinkResult(line: line)) }
        try queued.finish(within: 10_000)
        #expect(sink.seen.entries == ["good", "bad", "good"] && queued.losses == (0, 1) && queued.isVital == isVital)
        #expect(ends.entries == (isVital ? ["s: bad"] : []))
    }

    // MARK: - Pictures

    @Test func onlyTheNewestPicturesStay() throws {
        let folder = try TemporaryFolder()
        // 2026-11-21 10:38:55.123 UTC
        let start = 1_795_257_535_123.0
        for name in ["20250101T000000.000Z.png", "20250101T000001.000Z-000001.png", "mine.png", "20250101T00000.0000Z.png", "20250101T000001.000Z-1.png"] {
            _ = try folder.file(name, [1])
        }
        let series = try PictureSeries(folder: folder.path, keep: 3)
        #expect(series.path(capturedAt: start, number: 42) == folder.path("20261121T103855.123Z-000042.png"))
        #expect(series.path(capturedAt: start, number: 1_234_567) == folder.path("20261121T103855.123Z-1234567.png"))
        // Two frames of one millisecond are two files.
        for (number, delay) in [(1, 0), (2, 0), (3, 1000.25), (4, 2000.5), (5, 2000.5)] {
            try Data([2]).write(to: URL(filePath: series.path(capturedAt: start + delay, number: number)))
            series.written(capturedAt: start + delay, number: number)
        }
        #expect(
            try folder.contents() == [
                "20250101T00000.0000Z.png", "20250101T000001.000Z-1.png", "20261121T103856.123Z-000003.png", "20261121T103857.123Z-000004.png",
                "20261121T103857.123Z-000005.png", "mine.png",
            ])
        let all = try PictureSeries(folder: folder.path("new"), keep: nil)
        all.written(capturedAt: start, number: 1)
        #expect(FileManager.default.fileExists(atPath: folder.path("new")))
        #expect(faultMessage { _ = try PictureSeries(folder: folder.path("none/here"), keep: 2) }?.contains("cannot be made a folder") == true)
    }
}
