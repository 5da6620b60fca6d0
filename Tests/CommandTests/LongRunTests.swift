import Foundation
import Kernels
import TestSupport
import Testing

/// The parts of the program that a board's service uses: options in a file, reload, systemd, a report.
@Suite struct LongRunTests {
    private static let frame = [UInt8]((0..<28800).map { UInt8(truncatingIfNeeded: $0 / 9) })

    /// Runs `script` beside the program, which reads the pipe that `feed` writes frames to; `out` and `err` are its output.
    private func live(_ script: String, _ arguments: [String], environment: String = "") throws -> Program.Result {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        _ = try folder.file("frame", Self.frame)
        try FileManager.default.copyItem(atPath: tiny.vocabulary, toPath: folder.path("vocabulary.gguf"))
        let shell = """
            cd '\(folder.path)'; mkfifo pipe
            \(environment) "$@" <pipe >out 2>err & pid=$!
            exec 3>pipe
            feed() { cat frame >&3; }
            until_lines() { for i in $(seq 400); do [ $(wc -l <out) -ge $1 ] && return; sleep 0.05; done; echo "only $(wc -l <out) lines"; }
            \(script)
            exec 3>&-; wait $pid; echo status $?; cat err
            """
        return try Program.edge.run(["--model", tiny.model, "--vocab", "vocabulary.gguf", "--stdin", "yuv420:160x120"] + arguments, shell: shell)
    }

    @Test func reloadsTheVocabulary() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let other = folder.path("four.gguf")
        let made = try Program.quantize.run(
            ["vocab"] + tiny.checkpoint + ["--tokenizer", TinyModel.tokenizer, "--names", try Fixture.path("tiny/four.txt"), "--output", other])
        #expect(made.status == 0, "\(made.errors)")
        let result = try live(
            """
            feed; until_lines 1
            cp '\(other)' new; mv new vocabulary.gguf; kill -HUP $pid; sleep 0.3
            feed; until_lines 2
            echo damaged >new; mv new vocabulary.gguf; kill -HUP $pid; sleep 0.3
            feed; until_lines 3
            sed 's/.*"vocabulary"/vocabulary/' out
            """, [])
        let identities = result.output.split(separator: "\n").filter { $0.hasPrefix("vocabulary") }
        #expect(identities.count == 3 && identities[0] != identities[1] && identities[1] == identities[2], "\(result.output)")
        #expect(result.output.contains("read again, 4 classes") && result.output.contains("the old vocabulary stays") && result.output.contains("status 0"))
    }

    @Test func reports() throws {
        let result = try live("for i in 1 2 3; do feed; until_lines $i; done", ["--report", "--instruction-set", "scalar", "--threads", "1"])
        for words in [
            "status 0", "3 of 3 frames segmented", "milliseconds", "backbone", "age at output", "yuv420 160x120, network's input 171x128",
            "kernels: scalar, 1 threads",
            "resident: ", "advice: --instruction-set scalar is slower",
        ] {
            #expect(result.output.contains(words), "\(words) in: \(result.output)")
        }
    }

    @Test func optionsFromAFile() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        func edge(_ config: String, _ arguments: [String] = []) throws -> Program.Result {
            try Program.edge.run(["--config", try folder.file("config", Array(config.utf8))] + arguments)
        }
        let whole = "# a comment\n\n  model \(tiny.model)\r\n--vocab=\(tiny.vocabulary)\nimage = \(try TinyModel.picture.get())\n\tno-masks\n--task\tsemantic"
        let result = try edge(whole)
        #expect(result.status == 0 && result.output.contains("\"task\":\"semantic\"") && !result.output.contains("rle"), "\(result.errors)")
        #expect(try edge("\u{FEFF}" + whole).output.contains("\"task\":\"semantic\""))
        // Later options win.
        #expect(try edge(whole, ["--task", "panoptic"]).output.contains("\"task\":\"panoptic\""))
        for (config, words) in [
            ("model x\nthreads many", "config, line 2: --threads many"), ("modle x", "config, line 1: --modle: no such option"),
            ("task", "config, line 1: --task needs a value"),
            ("no-masks yes", "config, line 1: "), ("config \(folder.path("config"))", "config, line 1: --config"), ("\u{0}", "config"),
        ] {
            let result = try edge(config)
            #expect(result.status == 1 && result.errors.contains(words) && result.errorLines.count == 1, "\(config): \(result.errors)")
        }
        #expect(try Program.edge.run(["--config", folder.path("absent")]).errors.contains("absent: No such file"))
    }

    /// systemd's protocol, with a listener of a few lines of Python.
    @Test func tellsSystemd() throws {
        let listener = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); s.settimeout(60)
            seen = []
            while "STOPPING=1" not in seen: seen.append(s.recv(1000).decode())
            print("told", seen[0], seen[-1], len([m for m in seen if m == "WATCHDOG=1"]))
            """
        for address in ["notify", "@fcclip-edge-test-\(UUID().uuidString)"] {
            let result = try live(
                """
                feed; until_lines 1; sleep 1; feed; until_lines 2; kill -TERM $pid; wait $listener
                """, [],
                environment: """
                    python3 -c '\(listener)' '\(address.replacing("@", with: "\\0"))' & listener=$!
                    for i in $(seq 100); do [ -S notify ] && break; sleep 0.02; done
                    NOTIFY_SOCKET='\(address)' WATCHDOG_USEC=400000
                    """.replacingOccurrences(of: "sys.argv[1]", with: "sys.argv[1].replace(chr(92) + \"0\", chr(0))"))
            let told = result.output.split(separator: "\n").first { $0.hasPrefix("told") }
            #expect(told?.hasPrefix("told READY=1 STOPPING=1") == true, "\(result.output)")
            // Ten times a second, during work and while idle.
            #expect((told?.split(separator: " ").last).flatMap { Int($0) } ?? 0 >= 8, "\(result.output)")
        }
    }

    @Test func wrongOptionsOfStreams() throws {
        for (arguments, words) in [
            (["--alarm", "GPIO17:no such thing"], "the vocabulary has no class of this name"), (["--trigger", "no-such-line"], "--trigger no-such-line: "),
            (["--heartbeat", "a:b"], "CHIP:OFFSET"), (["--trigger", "x", "--every-frame"], "--every-frame"),
        ] {
            let result = try live("true", arguments)
            #expect(result.output.contains("status 1") && result.output.contains(words), "\(result.output)")
        }
        let picture = try TinyModel.shared.get().segment(["--image", try TinyModel.picture.get(), "--trigger", "x"])
        #expect(picture.status == 1 && picture.errors.contains("--trigger"))
        #expect(try Program.edge.run(["--list-cameras"]).status == 0)
        let absent = try TinyModel.shared.get().segment(["--camera", "/dev/video-none"])
        #expect(absent.status == 1 && absent.errors.contains("/dev/video-none: there is no such camera; --list-cameras"), "\(absent.errors)")
    }
}
