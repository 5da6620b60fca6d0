import Foundation
import Kernels
import TestSupport
import Testing

/// Faults of outputs, and of the conditions under which the program is started.
@Suite struct OutputFaultTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Runs `script` in the folder; there `edge` is the program with a model and a vocabulary, `$picture` a picture, `frames N` so many raw
    /// frames for `--stdin yuv420:160x120`.
    private func shell(_ script: String) throws -> Program.Result {
        let tiny = try TinyModel.shared.get()
        let head = """
            cd '\(folder.path)'; program=$1 picture='\(try TinyModel.picture.get())' model='\(tiny.model)' vocabulary='\(tiny.vocabulary)'
            edge() { "$program" --model "$model" --vocab "$vocabulary" "$@"; }
            stream() { edge --stdin yuv420:160x120 --no-masks "$@"; }
            frames() { head -c $((28800 * $1)) /dev/zero | tr '\\0' '\\125'; }

            """
        return try Program.edge.run([], shell: head + script)
    }

    private func lines(_ name: String) throws -> [String] {
        try String(contentsOfFile: folder.path(name), encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    // MARK: - Inputs are not overwritten

    /// Any output that is also an input is refused before any work, and no file changes.
    @Test(arguments: [
        "edge --image p.jpg --overlay m.gguf", "edge --image p.jpg --labels hard", "edge --image p.jpg --json soft --no-masks",
        "edge --image p.jpg --overlay p.jpg",
        "edge --image all --json all/a.jpg", "edge --image all --json all", "edge --image list.txt --json list.txt", "edge --image all --overlay all2",
        "edge --config c --image p.jpg --json c", "edge --image p.jpg --json x --overlay x", "edge --image all --labels new --overlay ./new",
        "edge --image p.jpg --logits v.gguf",
        "stream --every-frame --json v.gguf <f", "stream --json f <f", "stream --overlay o --labels ./o <f", "stream --json n --json - >n <f",
        "\"$program\" bench --model m.gguf --vocab v.gguf --input-size 64x64 --frames 1 --json v.gguf",
    ])
    func outputsThatAreInputs(command: String) throws {
        let result = try shell(
            """
            cp "$model" m.gguf; cp "$vocabulary" v.gguf; model=m.gguf; vocabulary=v.gguf; ln m.gguf hard; ln -s v.gguf soft; cp "$picture" p.jpg; frames 2 >f
            mkdir all all2; cp p.jpg all/a.jpg; ln all/a.jpg all2/a.jpg.png; echo all/a.jpg >list.txt; echo no-masks >c; mkdir o
            find . -type f ! -name n | sort | xargs sha256sum >../before.$$
            \(command); echo status $?
            find . -type f ! -name n | sort | xargs sha256sum | diff ../before.$$ - && echo unchanged; rm ../before.$$
            """)
        // In one case standard output is the tested file.
        let text = result.output + ((try? String(contentsOfFile: folder.path("n"), encoding: .utf8)) ?? "")
        #expect(text.contains("status 1") && text.contains("unchanged"), "\(result.output) \(result.errors)")
        #expect(result.errorLines.count == 1 && result.errors.contains(" too"), "\(result.errors)")
    }

    @Test func picturesOfOneName() throws {
        let result = try shell(
            """
            mkdir a b; cp "$picture" a/x.jpg; cp "$picture" b/x.jpg; printf 'a/x.jpg\\nb/x.jpg\\n' >list.txt
            edge --image list.txt --overlay o; echo status $?; ls; edge --image list.txt --no-masks | wc -l
            """)
        #expect(result.output.contains("status 1\na\nb\nlist.txt\n2"), "\(result.output)")
        #expect(result.errorLines.count == 1 && result.errors.contains("a/x.jpg and b/x.jpg have one name"), "\(result.errors)")
    }

    // MARK: - Devices, links, descriptors

    @Test func standardOutputByItsName() throws {
        let result = try shell(
            """
            ln -s /dev/stdout link
            for name in /dev/stdout /dev/fd/1 /proc/self/fd/1 link; do { echo before; edge --image "$picture" --no-masks --json $name; echo after; } >out; cat out | cut -c1-10; done
            { echo before; frames 2 | stream --every-frame --json /dev/stdout; } >out; cut -c1-10 out
            edge --image "$picture" --no-masks --json /dev/stdout | cut -c1-10; ls -l link /dev/stdout | cut -c1
            """)
        let one = "before\n{\"schema\":\nafter\n"
        #expect(result.output == one + one + one + one + "before\n{\"schema\":\n{\"schema\":\n{\"schema\":\nl\nl\n", "\(result.output)")
    }

    @Test func closedDescriptors() throws {
        let result = try shell(
            """
            timeout 20 "$program" --model "$model" --vocab "$vocabulary" --stdin mjpeg <&- 2>err; echo $? $(cat err)
            edge --image "$picture" --no-masks --json - --json out.json >&- 2>err; echo $? $(wc -l <out.json) $(cat err)
            frames 3 | stream --every-frame --json c.json >&- 2>&-; echo $? $(wc -l <c.json) $(grep -c '^{"schema"' c.json)
            edge --image "$picture" --no-masks --json d.json <&- >&- 2>&-; echo $? $(wc -l <d.json) $(grep -c '^{"schema"' d.json)
            edge --image none.jpg <&- >&- 2>&-; echo $?
            """)
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 5, "\(result.output)")
        #expect(lines[0] == "1 fcclip-edge: error: standard input: Bad file descriptor")
        #expect(lines[1] == "1 1 fcclip-edge: error: standard output: cannot be written: Bad file descriptor")
        #expect(lines[2...] == ["0 3 3", "0 1 1", "1"])
    }

    /// If the requested output cannot be written, the program fails; also for a help text.
    @Test(arguments: [
        "--help", "--version", "--list-cameras", "bench --help", "--image \"$picture\"",
        "bench --input-size 64x64 --frames 1 --model \"$model\" --vocab \"$vocabulary\"",
    ])
    func fullStandardOutput(arguments: String) throws {
        let result = try shell("\(arguments.hasPrefix("--image") ? "edge" : "\"$program\"") \(arguments) >/dev/full; echo status $?")
        #expect(result.output == "status 1\n")
        #expect(result.errors == "fcclip-edge: error: standard output: cannot be written: No space left on device\n", "\(result.errors)")
    }

    @Test func standardErrorThatCannotBeWritten() throws {
        let result = try shell(
            "edge --image \"$picture\" --no-masks 2>/dev/full | wc -l; frames 2 | stream --every-frame 2>/dev/full | wc -l; frames 2 | stream --every-frame 2>&- | wc -l"
        )
        #expect(result.output.split(whereSeparator: \.isWhitespace) == ["1", "2", "2"], "\(result.output)")
    }

    // MARK: - Full disks, signals

    /// A limit of file size simulates a full disk.
    @Test func nothingUnfinishedStays() throws {
        let result = try shell(
            """
            (ulimit -f 16; edge --image "$picture" --no-masks --json ok.json --overlay big.png); echo status $?; wc -l <ok.json
            mkdir all; for i in 1 2 3; do cp "$picture" all/$i.jpg; done
            edge --image all --json - --json two.json | head -c 10 >/dev/null; ls
            """)
        #expect(result.output == "status 1\n1\nall\nok.json\ntwo.json\n", "\(result.output)")
        #expect(
            result.errors
                == "fcclip-edge: error: big.png: cannot be written: File too large\nfcclip-edge: error: standard output: cannot be written: Broken pipe\n",
            "\(result.errors)")
    }

    /// One bad picture, or a disk that becomes full, among many: the lines of the others are kept.
    @Test func whatIsDoneIsKept() throws {
        let result = try shell(
            """
            mkdir all; for i in $(seq 10 29); do cp "$picture" all/$i.jpg; done; echo no picture >all/15.jpg
            edge --image all --no-masks --json whole.json; echo status $?
            (ulimit -f 8; edge --image all --no-masks --json cut.json --labels labels); echo status $?
            """)
        #expect(result.output == "status 1\nstatus 1\n", "\(result.output)")
        let whole = try lines("whole.json")
        let cut = try lines("cut.json")
        #expect(whole.count == 19 && whole.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        #expect(cut.count >= 2 && cut.count < 19 && cut.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") }, "\(cut.count)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("labels")).count == 19)
        #expect(
            result.errors.contains("1 of 20 pictures could not be read\n")
                && result.errors.contains("1 of 20 pictures could not be read, \(19 - cut.count) outputs could not be written"), "\(result.errors)")
    }

    @Test func linesOfAStreamThatCannotBeWritten() throws {
        let result = try shell(
            """
            printf '{"schema":1,"picture":"stand' >t.json
            frames 2 | stream --every-frame --json t.json; echo status $?
            frames 40 | (ulimit -f 8; stream --every-frame --json full.json); echo status $?; grep -vc '}$' full.json
            frames 40 | stream --every-frame --json full.json; tail -n 40 full.json | grep -c '^{.*}$'
            """)
        let torn = try lines("t.json")
        #expect(torn.count == 3 && torn[0] == "{\"schema\":1,\"picture\":\"stand" && torn[1...].allSatisfy { $0.hasPrefix("{\"schema\"") && $0.hasSuffix("}") })
        #expect(result.output == "status 0\nstatus 1\n1\n40\n" || result.output == "status 0\nstatus 1\n0\n40\n", "\(result.output)")
        #expect(result.errors.contains("of the stream's lines and pictures could not be written"), "\(result.errors)")
    }

    /// In a container without an init the program is process 1, to which the kernel delivers only signals that have a handler.
    @Test(arguments: ["--image all", "--stdin grey:64x64"]) func processOne(source: String) throws {
        let result = try shell(
            """
            mkdir all; for i in $(seq 200); do ln "$picture" all/$i.jpg 2>/dev/null || cp "$picture" all/$i.jpg; done; mkfifo frames; sleep 100 >frames & writer=$!
            unshare --user --map-root-user --pid --fork --kill-child "$program" --model "$model" --vocab "$vocabulary" --instruction-set scalar --threads 1 \(source) --json a.json <frames & outer=$!
            sleep 1.5; kill -TERM $(cat /proc/$outer/task/$outer/children)
            for i in $(seq 100); do kill -0 $outer 2>/dev/null || break; sleep 0.1; done; kill -0 $outer 2>/dev/null && { echo hangs; kill -KILL $outer; }
            wait $outer; echo status $?; kill $writer; ls | grep part
            """)
        #expect(result.output == (source.hasPrefix("--image") ? "status 143\n" : "status 0\n"), "\(result.output) \(result.errors)")
    }

    /// The number of threads is that of the processors that the program may use.
    @Test func affinity() throws {
        let result = try shell(
            """
            for set in 0 0,0; do taskset -c $set "$program" bench --model "$model" --vocab "$vocabulary" --input-size 64x64 --frames 1 | grep -o '[0-9]* thread'; done
            frames 2 | taskset -c 0 "$program" --model "$model" --vocab "$vocabulary" --stdin yuv420:160x120 --every-frame --no-masks --json x --report --threads 2 2>&1 | grep -e '1 processors' -e 'more threads'
            """)
        #expect(
            result.output.hasPrefix("1 thread\n1 thread\n") && result.output.contains("2 threads of 1 processors")
                && result.output.contains("more threads than processors"), "\(result.output) \(result.errors)")
    }

    // MARK: - As typed

    @Test func namesThatAreNotText() throws {
        let result = try shell("cp \"$picture\" \"$(printf 'caf\\351.jpg')\"; edge --image \"$(printf 'caf\\351.jpg')\"; echo status $?")
        #expect(result.output == "status 1\n" && result.errorLines.count == 1 && result.errors.contains("not UTF-8"), "\(result.errors)")
    }

    /// Model and vocabulary that no option names.
    @Test func modelsAreFound() throws {
        let result = try shell(
            """
            export XDG_DATA_HOME=$PWD/data HOME=$PWD/home; mkdir -p data/fcclip-edge home/.local/share/fcclip-edge beside work; cp "$program" beside/; cd work
            run() { "$@" --image "$picture" --json /dev/null 2>&1 | cut -c1-1000; }
            run ../beside/fcclip-edge
            cp "$model" ../data/fcclip-edge/model.gguf; run ../beside/fcclip-edge; cp "$vocabulary" ../data/fcclip-edge/vocabulary.gguf; run ../beside/fcclip-edge
            cp "$model" model.gguf; run ../beside/fcclip-edge; cp "$vocabulary" vocabulary.gguf; run ../beside/fcclip-edge
            cp *.gguf ../beside; run ../beside/fcclip-edge; run ../beside/fcclip-edge --vocab vocabulary.gguf; rm ../beside/*.gguf *.gguf
            unset XDG_DATA_HOME; cp ../data/fcclip-edge/*.gguf ../home/.local/share/fcclip-edge; run ../beside/fcclip-edge
            ../beside/fcclip-edge --stdin mjpeg --model "$model" --vocab "$vocabulary" </dev/null 2>&1 | grep -c using
            """)
        let base = folder.path
        let lines = result.output.split(separator: "\n").map { $0.replacing("/private", with: "") }
        #expect(lines.count == 9, "\(result.output) \(result.errors)")
        for words in [
            "error: --model and --vocab are missing", "model.gguf and vocabulary.gguf",
            "\(base)/beside, ., \(base)/data/fcclip-edge, /usr/local/share/fcclip-edge, /usr/share/fcclip-edge", "quantize",
        ] {
            #expect(lines[0].contains(words), "\(words) in: \(lines[0])")
        }
        // One of the two files alone does not count.
        #expect(lines[1] == lines[0])
        #expect(lines[2] == "fcclip-edge: using \(base)/data/fcclip-edge/model.gguf and \(base)/data/fcclip-edge/vocabulary.gguf")
        #expect(lines[3] == lines[2] && lines[4] == "fcclip-edge: using model.gguf and vocabulary.gguf")
        #expect(
            lines[5] == "fcclip-edge: using \(base)/beside/model.gguf and \(base)/beside/vocabulary.gguf"
                && lines[6] == "fcclip-edge: using \(base)/beside/model.gguf")
        #expect(lines[7] == "fcclip-edge: using \(base)/home/.local/share/fcclip-edge/model.gguf and \(base)/home/.local/share/fcclip-edge/vocabulary.gguf")
        #expect(lines[8] == "0")
    }
}
