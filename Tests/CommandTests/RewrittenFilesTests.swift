import Foundation
import Kernels
import TestSupport
import Testing

/// Files that other programs rewrite in place, and networks that change, while the program runs.
@Suite struct RewrittenFilesTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Model and vocabulary stay as they were at the start, until SIGHUP reads the vocabulary again: no crash, no other results.
    @Test(arguments: [
        "cp other.gguf vocabulary.gguf", "head -c 100 other.gguf >vocabulary.gguf", ": >vocabulary.gguf", ": >model.gguf", "tr a b <other.gguf >model.gguf",
        "rm model.gguf vocabulary.gguf",
    ])
    func filesOfARunningProgram(change: String) throws {
        let tiny = try TinyModel.shared.get()
        let made = try Program.quantize.run(
            ["vocab"] + tiny.checkpoint + [
                "--tokenizer", TinyModel.tokenizer, "--names", try Fixture.path("tiny/four.txt"), "--output", folder.path("other.gguf"),
            ])
        #expect(made.status == 0, "\(made.errors)")
        // Frames of several sizes: tables for a size are made when the first frame of it arrives.
        let result = try Program.edge.run(
            [],
            shell: """
                cd '\(folder.path)'; cp '\(tiny.model)' model.gguf; cp '\(tiny.vocabulary)' vocabulary.gguf; mkfifo pipe
                a='\(try Fixture.path("pictures/baseline_420.jpg"))' b='\(try Fixture.path("pictures/synth_420x300.jpg"))' c='\(try Fixture.path("pictures/one_pixel.jpg"))'
                until_lines() { for i in $(seq 400); do [ $(wc -l <out) -ge $1 ] && return; sleep 0.05; done; echo "only $(wc -l <out) lines"; }
                cat "$a" "$b" "$c" | "$1" --model model.gguf --vocab vocabulary.gguf --stdin mjpeg --every-frame >expected 2>err
                "$1" --model model.gguf --vocab vocabulary.gguf --stdin mjpeg --every-frame <pipe >out 2>>err & pid=$!
                exec 3>pipe; cat "$a" >&3; until_lines 1; \(change); cat "$b" "$c" "$a" >&3; until_lines 4; exec 3>&-; wait $pid; echo status $?
                for f in expected out; do sed 's/,"timing":{[^}]*}//; s/"frame":{[^}]*}//' $f >$f.plain; done
                head -n 3 out.plain | cmp - expected.plain && [ "$(head -n 1 out.plain)" = "$(tail -n 1 out.plain)" ] && echo same
                """)
        #expect(
            result.output == "status 0\nsame\n",
            "\(result.output) \(result.errors) \(String(describing: try? String(contentsOfFile: folder.path("err"), encoding: .utf8)))")
    }

    /// A picture, a model or a vocabulary that is being written while it is read: segments, or one line; never a signal.
    @Test(arguments: ["picture.jpg", "model.gguf", "vocabulary.gguf"]) func filesOfAStartingProgram(name: String) throws {
        let tiny = try TinyModel.shared.get()
        let result = try Program.edge.run(
            [],
            shell: """
                cd '\(folder.path)'; cp '\(tiny.model)' model.gguf; cp '\(tiny.vocabulary)' vocabulary.gguf; cp '\(try TinyModel.picture.get())' picture.jpg; cp \(name) whole
                (while :; do head -c 3000 whole >\(name); cat whole >\(name); : >\(name); cat whole >\(name); done) & writer=$!
                for i in $(seq 40); do "$1" --model model.gguf --vocab vocabulary.gguf --image picture.jpg --no-masks >out 2>err; status=$?; [ $status = 0 ] || [ "$(wc -l <err)" = 1 ] || cat err; echo status $status; done
                kill $writer
                """)
        let statuses = Set(result.output.split(separator: "\n"))
        #expect(statuses.isSubset(of: ["status 0", "status 1"]), "\(result.output)")
    }

    /// UDP lines arrive again when the machine has another address, and when its network comes up after the program. Needs namespaces, `ip` and veth.
    @Test func networkThatChanges() throws {
        let tiny = try TinyModel.shared.get()
        _ = try folder.file(
            "listen.py",
            Array(
                """
                import socket
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 5005)); s.settimeout(15); seen = []
                try:
                    while True:
                        address = s.recvfrom(70000)[1][0]
                        if address not in seen: seen.append(address); print("from", address, flush=True)
                except TimeoutError: pass
                """.utf8))
        _ = try folder.file("frame", [UInt8](repeating: 90, count: 28800))
        let result = try Program.edge.run(
            [],
            shell: """
                cd '\(folder.path)'; unshare --user --map-root-user --net bash -c '
                unshare --net sleep 60 & other=$!; sleep 0.3
                ip link add name va type veth peer name vb netns $other 2>/dev/null || { echo "skipped: no veth here"; kill $other; exit; }
                nsenter --net --target $other bash -c "ip link set vb up; ip addr add 10.9.0.2/24 dev vb; exec python3 listen.py" & listener=$!
                feed() { for i in $(seq $1); do cat frame; sleep 0.1; done; }
                { feed 5; ip link set va up; ip addr add 10.9.0.1/24 dev va; sleep 0.3; feed 10; ip addr del 10.9.0.1/24 dev va; feed 5; ip addr add 10.9.0.77/24 dev va; feed 10; } \\
                  | "$1" --model "$2" --vocab "$3" --stdin yuv420:160x120 --every-frame --no-masks --json udp://10.9.0.2:5005; echo status $?
                kill $other; wait $listener' - "$1" '\(tiny.model)' '\(tiny.vocabulary)'
                """)
        if result.output.contains("skipped") { return print("RewrittenFilesTests.networkThatChanges skipped: no veth in this kernel, or no ip") }
        #expect(
            result.output.contains("from 10.9.0.1\n") && result.output.contains("from 10.9.0.77\n") && result.output.contains("status 0"),
            "\(result.output) \(result.errors)")
        // Lines that could not be sent are counted.
        let dropped = try #require(result.errors.firstMatch(of: /30 of 30 frames segmented.*, (\d+) lines dropped/), "\(result.errors)")
        #expect((1...20).contains(Int(dropped.1)!), "\(result.errors)")
    }
}
