import Foundation
import TestSupport
import Testing

/// The conditions under which a stream counts as healthy, and under which it ends by itself.
@Suite struct StreamHealthTests {
    private static let good = [UInt8]((0..<28800).map { UInt8(truncatingIfNeeded: $0 / 9) })

    /// Runs the program on a pipe that `script` writes to, with a listener in systemd's place; its messages but the watchdog's are printed.
    private func told(_ script: String, _ arguments: [String]) throws -> Program.Result {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        _ = try folder.file("good", Self.good)
        _ = try folder.file("picture.jpg", Fixture.bytes("pictures/baseline_420.jpg"))
        var bad = try Fixture.bytes("pictures/baseline_420.jpg")
        bad[try #require(bad.firstRange(of: [0xFF, 0xC0])).upperBound + 2] = 99
        _ = try folder.file("bad.jpg", bad)
        _ = try folder.file(
            "listen.py",
            Array(
                """
                import socket, sys
                s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("notify"); s.settimeout(60)
                last = ""
                while last != "STOPPING=1":
                    fed, last = last == "WATCHDOG=1", s.recv(1000).decode()
                    if not (fed and last == "WATCHDOG=1"): print(last, flush=True)
                """.utf8))
        let shell = """
            cd '\(folder.path)'; mkfifo pipe; python3 listen.py >told & listener=$!
            for i in $(seq 200); do [ -S notify ] && break; sleep 0.02; done
            NOTIFY_SOCKET=notify WATCHDOG_USEC=400000 "$@" <pipe >out 2>err & pid=$!
            exec 3>pipe
            until_told() { for i in $(seq 400); do grep -q "$1" told && return; sleep 0.05; done; echo "not told $1"; }
            \(script)
            exec 3>&-; wait $pid; echo status $?; wait $listener; cat told err
            """
        return try Program.edge.run(["--model", tiny.model, "--vocab", tiny.vocabulary] + arguments, shell: shell)
    }

    @Test func readyAfterTheFirstFrame() throws {
        let result = try told("sleep 1; echo told $(cat told); cat good >&3; until_told READY; until_told WATCHDOG", ["--stdin", "yuv420:160x120"])
        // Neither ready nor alive before it has segmented a frame.
        #expect(result.output.hasPrefix("told\nstatus 0\nREADY=1\nWATCHDOG=1\nSTOPPING=1\n"), "\(result.output)")
    }

    @Test func neverReadyWithoutAnyGoodFrame() throws {
        let result = try told("for i in 1 2 3; do cat bad.jpg >&3; sleep 0.2; done", ["--stdin", "mjpeg", "--every-frame"])
        #expect(result.output.hasPrefix("status 1\nSTOPPING=1\n"), "\(result.output)")
        #expect(result.output.contains("error: standard input: none of 3 frames could be segmented"), "\(result.output)")
    }

    @Test func manyFailuresInARowEndIt() throws {
        let result = try told("cat picture.jpg >&3; for i in $(seq 50); do cat bad.jpg; done >&3 2>/dev/null", ["--stdin", "mjpeg", "--every-frame"])
        #expect(result.output.contains("status 1\nREADY=1\n"), "\(result.output)")
        #expect(result.output.contains("error: standard input: 30 frames in a row could not be segmented; the last: frame 31"), "\(result.output)")
        // Not if a good frame is between them.
        let mixed = try told("for i in 1 2 3; do for k in $(seq 20); do cat bad.jpg; done; cat picture.jpg; done >&3", ["--stdin", "mjpeg", "--every-frame"])
        #expect(
            mixed.output.contains("status 0") && mixed.output.contains("3 of 63 frames segmented") && mixed.output.contains("60 damaged"), "\(mixed.output)")
    }

    @Test func lackOfMemoryEndsIt() throws {
        let tiny = try TinyModel.shared.get()
        let result = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "grey:6000x6000", "--every-frame", "--threads", "2"],
            shell: "ulimit -v 400000; head -c 180000000 /dev/zero 2>/dev/null | \"$@\"")
        #expect(result.status == 1 && result.output.isEmpty, "status \(result.status): \(result.errors)")
        #expect(result.errorLines.count == 2, "\(result.errors)")
        #expect(result.errorLines.last?.contains(/error: .* needs \d+ MiB of memory, \d+ MiB are free/) == true, "\(result.errors)")
    }
}
