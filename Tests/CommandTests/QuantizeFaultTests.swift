import Foundation
import Kernels
import TestSupport
import Testing

/// Faults around `quantize`: outputs that are inputs, messages that cannot be written, missing options.
@Suite struct QuantizeFaultTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Runs `script` in the folder, where `quantize` is the program; `head.pth`, `clip.safetensors`, `names.txt` and `all/a.png` are links' targets of inputs.
    private func shell(_ script: String) throws -> Program.Result {
        let tiny = try TinyModel.shared.get()
        let head = """
            cd '\(folder.path)'; program=$1
            quantize() { "$program" "$@"; }
            cp '\(tiny.head)' head.pth; cp '\(tiny.clip)' clip.safetensors; cp '\(TinyModel.tokenizer)' merges; echo cat >names.txt; mkdir all; cp '\(try Fixture.path("pictures/rgb.png"))' all/a.png
            cp '\(tiny.model)' m.gguf; cp '\(tiny.vocabulary)' v.gguf

            """
        return try Program.quantize.run([], shell: head + script)
    }

    private static let model = "quantize --checkpoint head.pth --clip clip.safetensors --shortest-edge 64"
    private static let vocabulary = "quantize vocab --clip clip.safetensors --tokenizer merges --names names.txt"

    @Test(arguments: [
        "\(model) --calib all --output head.pth", "\(model) --calib all --output all/a.png", "\(model) --calib all/a.png --output soft",
        "\(model) --calib all --output hard",
        "\(vocabulary) --output clip.safetensors", "\(vocabulary) --output merges", "\(vocabulary) --output names.txt",
        "\(vocabulary) --training-names soft --output all/a.png",
        "quantize evaluate --model m.gguf --vocab v.gguf --instances report.md --pictures all --output .",
        "quantize evaluate --model m.gguf --vocab v.gguf --instances i.json --pictures worst --output .",
    ])
    func outputsThatAreInputs(command: String) throws {
        let result = try shell(
            """
            ln clip.safetensors hard; ln -s all/a.png soft; mkdir worst; cp all/a.png worst
            echo '{"images":[{"id":1,"file_name":"a.png"}],"annotations":[],"categories":[{"id":1,"name":"cat"}]}' >i.json; cp i.json report.md
            find . -type f | sort | xargs sha256sum >../before.$$
            \(command); echo status $?
            find . -type f | sort | xargs sha256sum | diff ../before.$$ - && echo unchanged; rm ../before.$$
            """)
        #expect(
            result.output == "status 1\nunchanged\n" && result.errorLines.count == 1 && result.errors.contains(" too\n"), "\(result.output) \(result.errors)")
    }

    /// Messages that cannot be written, and closed standard descriptors, do not affect the work.
    @Test(arguments: ["2>/dev/full", "2>&-", "<&- >&- 2>&-"]) func messagesThatCannotBeWritten(redirection: String) throws {
        let result = try shell(
            "(\(Self.model) --calib all --output out.gguf \(redirection)); echo status $?; (\(Self.vocabulary) --output w.gguf \(redirection)); echo status $?; quantize inspect out.gguf | tail -n 1; quantize inspect w.gguf | tail -n 1; ls | grep part"
        )
        #expect(
            result.output.contains("status 0\nstatus 0\n") && result.output.components(separatedBy: "checksums match").count == 3
                && !result.output.contains("part"), "\(result.output) \(result.errors)")
    }

    /// If the requested output cannot be written, the program fails.
    @Test(arguments: [
        "inspect v.gguf", "--help", "inspect --help", "help", "stages --checkpoint head.pth --clip clip.safetensors --model m.gguf --images all",
        "evaluate --model m.gguf --vocab v.gguf --instances i.json --pictures all",
    ])
    func fullStandardOutput(arguments: String) throws {
        let result = try shell(
            """
            echo '{"images":[{"id":1,"file_name":"a.png"}],"annotations":[],"categories":[{"id":1,"name":"dog"}]}' >i.json
            for to in /dev/full '&-'; do eval "quantize \(arguments) >$to"; echo status $?; done; (quantize \(arguments); echo status $? >&2) | true
            """)
        #expect(result.output == "status 1\nstatus 1\n", "\(result.output) \(result.errors)")
        let faults = result.errorLines.filter { $0.hasPrefix("quantize: error: ") }
        #expect(
            faults.contains("quantize: error: standard output: cannot be written: No space left on device")
                && faults.contains("quantize: error: standard output: cannot be written: Bad file descriptor"), "\(result.errors)")
        #expect(!result.errors.contains("Signal") && !result.errors.contains("status 1\(41)"), "\(result.errors)")
    }

    /// One line, with the remedy, in the order in which people meet these faults.
    @Test(arguments: [
        ("--calib all", "--checkpoint is missing: ", "fcclip_cocopan.pth"),
        ("--calib all", "github.com/bytedance/fc-clip", "laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup"),
        ("--checkpoint head.pth", "--calib is missing: ", "pictures"), ("--checkpoint head.pth --calib all", "--output is missing: ", "--output model.gguf"),
        ("stages --model m.gguf --images all", "--checkpoint is missing: ", "fcclip_cocopan.pth"),
        ("vocab cat", "--tokenizer", "--help"), ("--no-such-option", "--no-such-option", "--help"), ("inspect", "<file>", "--help"),
        ("--calib all --shortest-edge 1", "--shortest-edge is 32...8192", "--help"),
    ])
    func missingOptions(arguments: String, words: String, more: String) throws {
        let result = try shell("quantize \(arguments); echo status $?")
        #expect(
            !result.output.contains("status 0") && result.errorLines.count == 1 && result.errors.hasPrefix("quantize: error: ") && result.errors.contains(words)
                && result.errors.contains(more), "\(result.output) \(result.errors)")
    }

    /// A report that cannot be written is detected before the work; one that fails at the end loses only the report.
    @Test func reportsThatCannotBeWritten() throws {
        let result = try shell(
            """
            echo '{"images":[{"id":1,"file_name":"a.png"}],"annotations":[],"categories":[{"id":1,"name":"dog"}]}' >i.json; echo no folder >file
            quantize evaluate --model m.gguf --vocab v.gguf --instances i.json --pictures all --output file; echo status $?
            mkdir -p report/report.md; quantize evaluate --model m.gguf --vocab v.gguf --instances i.json --pictures all --output report; echo status $?
            (ulimit -f 0; exec "$program" evaluate --model m.gguf --vocab v.gguf --instances i.json --pictures all --output full 2>&1) | grep -v measured | cat; ls full
            """)
        #expect(
            result.output.hasPrefix("status 1\nstatus 1\n")
                && result.output.contains(/\| classes [^!]*quantize: error: full\/[^ ]*: cannot be written: File too large\nworst\n$/),
            "\(result.output) \(result.errors)")
        #expect(
            result.errors.contains("file: cannot be made a folder") && result.errors.contains("report/report.md: cannot be written: Is a directory"),
            "\(result.errors)")
    }

    /// A checkpoint that is shortened while it is read: a model, or one line; never a signal, and nothing half-written.
    @Test func shortenedCheckpoints() throws {
        let result = try shell(
            """
            cp head.pth whole; for i in $(seq 12); do cp whole head.pth; (sleep 0.0$i; : >head.pth) & \(Self.model) --calib all --output out.gguf 2>err; status=$?; wait
            [ $status = 0 ] || tail -n 1 err | grep -q '^quantize: error: ' || cat err; echo status $status; ls | grep part; done
            """)
        #expect(Set(result.output.split(separator: "\n")).isSubset(of: ["status 0", "status 1"]), "\(result.output)")
    }

    /// Control characters of a file do not reach the terminal.
    @Test func inspectedTextIsPrintable() throws {
        var builder = GGUFBuilder()
        builder.entries = [("evil\u{1B}[2Jkey", GGUFBuilder.value(8, GGUFBuilder.string("a\u{1B}]0;title\u{7}\u{202E}b\u{9B}c\nd")))]
        let path = try folder.file("evil.gguf", builder.bytes())
        let result = try Program.quantize.run(["inspect", path])
        #expect(
            result.output.contains("evil\\u{1B}[2Jkey") && result.output.contains("a\\u{1B}]0;title\\u{7}\\u{202E}b\\u{9B}c\\u{A}d"),
            "\(result.output) \(result.errors)")
        #expect(
            !(result.output + result.errors).unicodeScalars.contains {
                ($0.value < 0x20 && $0 != "\n") || (0x7F...0x9F).contains($0.value) || $0.value == 0x202E
            })
    }
}
