import Foundation
import Kernels
import TestSupport
import Testing

@testable import Capture
@testable import Imaging

/// Streams through the program, as people pipe them.
@Suite struct StreamCommandTests {
    private static let size = Size(height: 120, width: 160)

    /// `count` raw frames, each different from the one before.
    private func stream(_ layout: FrameLayout, _ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(layout.byteCount * count)
        for frame in 0..<count {
            for index in 0..<layout.byteCount { bytes.append(UInt8(truncatingIfNeeded: index / 7 &+ index / 1300 &* 5 &+ frame &* 11)) }
        }
        return bytes
    }

    private func run(_ arguments: [String], input: String) throws -> Program.Result {
        let tiny = try TinyModel.shared.get()
        return try Program.edge.run(["--model", tiny.model, "--vocab", tiny.vocabulary] + arguments, shell: "exec \"$@\" <'\(input)'")
    }

    private func json(_ output: String) throws -> [[String: Any]] {
        try output.split(separator: "\n").map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    }

    /// A frame is segmented exactly as the picture of it is.
    @Test(arguments: [FrameFormat.yuv420, .nv12, .yuyv, .rgb24, .grey]) func framesEqualPictures(format: FrameFormat) throws {
        let folder = try TemporaryFolder()
        let tiny = try TinyModel.shared.get()
        let layout = FrameLayout(format, size: Self.size)
        let bytes = stream(layout, 2)
        let input = try folder.file("stream", bytes)
        let streamed = try run(["--stdin", "\(format.name):160x120", "--every-frame"], input: input)
        #expect(streamed.status == 0 && streamed.errors.contains("2 of 2 frames segmented"), "\(streamed.errors)")
        let lines = try json(streamed.output)
        #expect(lines.count == 2)
        for (index, line) in lines.enumerated() {
            let frame = FrameBuffer()
            let converter = FrameConverter(Preprocessor(Preprocessing()))
            let picture = Picture(size: Self.size)
            frame.reserve(layout.byteCount)
            frame.bytes.update(from: Array(bytes[(layout.byteCount * index)...].prefix(layout.byteCount)), count: layout.byteCount)
            frame.layout = layout
            try converter.convert(frame, size: Self.size, full: picture.pixels)
            try PNG.write(rgb: picture.pixels, size: Self.size, to: folder.path("\(index).png"))
            let single = try json(try tiny.segment(["--image", folder.path("\(index).png")]).output)
            #expect(line["segments"] as? NSArray == single[0]["segments"] as? NSArray)
            #expect((line["frame"] as? [String: Int]) == ["number": index + 1, "skipped": 0])
            #expect(line["picture"] as? String == "standard input")
            let timing = try #require(line["timing"] as? [String: Double])
            #expect(try abs(#require(timing["captured"]) / 1000 - Date().timeIntervalSince1970) < 600 && #require(timing["age"]) > 0)
        }
    }

    /// Rows longer than their pixels, as many producers write them, are the same frames.
    @Test(arguments: [FrameFormat.yuv420, .nv12, .yuyv]) func paddedRows(format: FrameFormat) throws {
        let folder = try TemporaryFolder()
        let tight = FrameLayout(format, size: Self.size)
        let padded = FrameLayout(format, size: Self.size, stride: tight.stride + 32)
        let bytes = stream(tight, 1)
        var wide: [UInt8] = []
        var position = 0
        // Chroma rows of yuv420 are half as long, and so is their gap.
        for row in 0..<(padded.byteCount / padded.stride) {
            let isHalf = format == .yuv420 && row >= Self.size.height
            for _ in 0..<(isHalf ? 2 : 1) {
                let count = tight.stride / (isHalf ? 2 : 1)
                wide += bytes[position..<(position + count)] + [UInt8](repeating: 0xA5, count: isHalf ? 16 : 32)
                position += count
            }
        }
        let results = try [("tight", bytes, ""), ("padded", wide, ":stride=\(padded.stride)")].map { name, bytes, suffix in
            try json(try run(["--stdin", "\(format.name):160x120\(suffix)"], input: try folder.file(name, bytes)).output)
        }
        #expect(results[0].count == 1 && results[1].count == 1 && results[0][0]["segments"] as? NSArray == results[1][0]["segments"] as? NSArray)
    }

    @Test func picturesInARow() throws {
        let folder = try TemporaryFolder()
        let picture = try Fixture.bytes("pictures/synth_420x300.jpg")
        let input = try folder.file("stream", picture + picture[..<(picture.count / 2)] + picture + [1, 2, 3])
        let result = try run(["--stdin", "mjpeg", "--every-frame"], input: input)
        #expect(result.status == 0 && result.errors.contains("3 of 3 frames segmented"), "\(result.errors)")
        #expect(result.errors.contains("1 used in spite of damage"))
        let lines = try json(result.output)
        #expect(lines.count == 3 && lines[0]["segments"] as? NSArray == lines[2]["segments"] as? NSArray)
    }

    /// Overlays do not change the segments.
    @Test func foldersOfOverlaysAndLabels() throws {
        let folder = try TemporaryFolder()
        let picture = try Fixture.bytes("pictures/synth_420x300.jpg")
        let input = try folder.file("stream", Array([[UInt8]](repeating: picture, count: 6).joined()))
        let plain = try run(["--stdin", "mjpeg", "--every-frame"], input: input)
        let drawn = try run(
            [
                "--stdin", "mjpeg", "--every-frame", "--json", "-", "--json", folder.path("lines.json"), "--overlay", folder.path("overlays"), "--labels",
                folder.path("labels"), "--keep", "2", "--no-masks",
            ], input: input)
        #expect(drawn.status == 0, "\(drawn.errors)")
        let a = try json(plain.output)
        let b = try json(drawn.output)
        #expect(a.count == 6 && b.count == 6)
        for (a, b) in zip(a, b) {
            let first = try #require(a["segments"] as? [[String: Any]])
            let second = try #require(b["segments"] as? [[String: Any]])
            #expect(first.map { $0["area"] as? Int } == second.map { $0["area"] as? Int })
            #expect(first.allSatisfy { $0["rle"] != nil } && second.allSatisfy { $0["rle"] == nil })
        }
        #expect(try String(contentsOfFile: folder.path("lines.json"), encoding: .utf8) == drawn.output)
        for name in ["overlays", "labels"] {
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path(name))
            #expect((1...2).contains(files.count))
            for file in files { #expect(try Picture.read(path: folder.path(name + "/" + file)).size == Size(height: 300, width: 420)) }
        }
    }

    @Test func brokenStreams() throws {
        let folder = try TemporaryFolder()
        for (bytes, words) in [
            ([UInt8](repeating: 3, count: 1000), "ended after 1000 bytes; a frame of yuv420, 160 x 120, has 28800"), ([], "ended after 0 bytes"),
        ] {
            let result = try run(["--stdin", "yuv420:160x120"], input: try folder.file("stream", bytes))
            #expect(result.status == 1 && result.output.isEmpty && result.errorLines.last?.contains(words) == true, "\(result.errors)")
        }
        let noise = try run(["--stdin", "mjpeg"], input: try folder.file("noise", stream(FrameLayout(.grey, size: Self.size), 2)))
        #expect(noise.status == 1 && noise.errorLines.last?.contains("ended without a JPEG picture") == true)
        // Damaged pictures do not affect others.
        let good = try Fixture.bytes("pictures/baseline_420.jpg")
        var bad = good
        let start = try #require(bad.firstRange(of: [0xFF, 0xC0])).upperBound
        bad[start + 2] = 99
        let mixed = try run(["--stdin", "mjpeg", "--every-frame"], input: try folder.file("mixed", good + bad + bad + good))
        #expect(mixed.status == 0 && mixed.errors.contains("2 of 4 frames segmented") && mixed.errors.contains("2 damaged"), "\(mixed.errors)")
        #expect(mixed.errors.components(separatedBy: "frame 2: damaged").count == 2 && !mixed.errors.contains("frame 3: damaged"))
        #expect(try run(["--stdin", "yuv420:160x120", "--image", "x.png"], input: "/dev/null").errors.contains("only one source"))
        #expect(try run(["--stdin", "yuv421:160x120"], input: "/dev/null").errors.contains("formats are"))
    }

    /// Runs `script`, in which `start` starts the program on the pipe `$pipe`, open for writing as 3.
    private func live(_ script: String, _ arguments: [String], frames: [UInt8]) throws -> Program.Result {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        _ = try folder.file("stream", frames)
        let shell = """
            cd '\(folder.path)'; mkfifo pipe
            "$@" <pipe >out 2>err & pid=$!
            exec 3>pipe
            count() { wc -l <out; }
            until_lines() { for i in $(seq 200); do [ "$(count)" -ge $1 ] && return; sleep 0.05; done; echo "only $(count) lines"; }
            \(script)
            """
        return try Program.edge.run(["--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "yuv420:160x120"] + arguments, shell: shell)
    }

    @Test(arguments: ["TERM", "INT"]) func signalsEndItCleanly(signal: String) throws {
        let frames = stream(FrameLayout(.yuv420, size: Self.size), 1)
        let result = try live("cat stream >&3; until_lines 1; kill -\(signal) $pid; wait $pid; echo status $?; cat err", [], frames: frames)
        #expect(result.output.contains("status 0") && result.output.contains("1 of 1 frames segmented"), "\(result.output)")
    }

    /// SIGTERM, once or twice, while frames are being segmented and drawn: whole pictures and lines only.
    @Test(arguments: [1, 2]) func endsBetweenWholeFiles(signals: Int) throws {
        let script = """
            (for i in $(seq 2000); do cat stream; done >&3) 2>/dev/null & feeder=$!
            until_lines 3; for i in $(seq \(signals)); do kill -TERM $pid; done; wait $pid; echo status $?
            exec 3>&-; kill $feeder 2>/dev/null
            for f in overlays/* labels/*; do [ "$(tail -c 8 $f | head -c 4)" = IEND ] && echo whole || echo cut $f; done
            tail -c 1 lines.json | od -An -tx1; ls -a | grep part
            """
        let result = try live(
            script,
            [
                "--instruction-set", "scalar", "--threads", "1", "--every-frame", "--overlay", "overlays", "--labels", "labels", "--json", "-", "--json",
                "lines.json",
            ],
            frames: stream(FrameLayout(.yuv420, size: Self.size), 1))
        let lines = result.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
        // The second signal does not wait for the current frame.
        #expect(lines.contains("status 0") || (signals == 2 && lines.contains("status 143")), "\(result.output)")
        #expect(lines.filter { $0 == "whole" }.count >= 2 && !lines.contains { $0.hasPrefix("cut") || $0.contains("part") }, "\(result.output)")
        #expect(lines.contains("0a"), "\(result.output)")
    }

    /// A reader that disappears is reported; a reader that is blocked delays no other sink.
    @Test func readersOfTheLines() throws {
        let folder = try TemporaryFolder()
        let tiny = try TinyModel.shared.get()
        let input = try folder.file("stream", stream(FrameLayout(.yuv420, size: Self.size), 100))
        let arguments = ["--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "yuv420:160x120", "--every-frame"]
        let gone = try Program.edge.run(arguments, shell: "(\"$@\" <'\(input)'; echo status $? >&2) | head -n 1 >/dev/null")
        #expect(gone.errors.contains("status 1") && gone.errors.contains("error: standard output: cannot be written: Broken pipe"), "\(gone.errors)")
        // 100 lines are more than a pipe of 64 KiB and a queue of 32 hold. Frames come slowly enough for each to be segmented.
        let live = ["--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "yuv420:160x120"]
        let frame = try folder.file("frame", stream(FrameLayout(.yuv420, size: Self.size), 1))
        let feed = "for i in $(seq 250); do cat '\(frame)'; sleep 0.02; done"
        let slow = try Program.edge.run(
            live, shell: "cd '\(folder.path)'; (\(feed)) | (\"$@\"; echo status $? >&2; touch done) | (until [ -e done ]; do sleep 0.1; done)")
        #expect(slow.errors.contains("status 0") && slow.errors.contains("lines dropped"), "\(slow.errors)")
    }

    /// With `--every-frame` nothing is dropped: a slow reader holds the source back, and every frame has its line and its pictures.
    @Test func everyFrameHasItsOutputs() throws {
        let folder = try TemporaryFolder()
        let tiny = try TinyModel.shared.get()
        let input = try folder.file("stream", stream(FrameLayout(.yuv420, size: Self.size), 100))
        let result = try Program.edge.run(
            [
                "--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "yuv420:160x120", "--every-frame", "--json", "-", "--json", "lines.json",
                "--overlay", "o", "--labels", "l",
            ],
            shell:
                "cd '\(folder.path)'; (\"$@\" <'\(input)'; echo status $? >&2) | (sleep 1; while read -r line; do echo \"$line\"; done) >slow.json; ls o | wc -l; ls l | wc -l; wc -l <lines.json; wc -l <slow.json"
        )
        #expect(result.errors.contains("status 0") && !result.errors.contains("dropped"), "\(result.errors)")
        #expect(result.output.split(whereSeparator: \.isWhitespace) == ["100", "100", "100", "100"], "\(result.output)")
        // SIGTERM ends even a run whose reader is blocked.
        let stopped = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "yuv420:160x120", "--every-frame"],
            shell:
                "cd '\(folder.path)'; mkfifo out; sleep 30 >/dev/null <out & reader=$!; \"$@\" <'\(input)' >out & pid=$!; sleep 2; kill -TERM $pid; wait $pid; echo status $?; kill $reader"
        )
        #expect(stopped.output.contains("status 0") && stopped.errors.contains("lines dropped"), "\(stopped.output) \(stopped.errors)")
    }

    /// Frames arrive faster than they are segmented: at output none is older than its own inference and the one before.
    @Test func freshestFrameWins() throws {
        let result = try live(
            "for i in $(seq 400); do cat stream >&3; done; exec 3>&-; wait $pid; echo status $? >&2; cat out; cat err >&2", [],
            frames: stream(FrameLayout(.yuv420, size: Self.size), 4))
        #expect(result.errors.contains("status 0"), "\(result.errors)")
        let lines = try json(result.output)
        let timings = lines.compactMap { $0["timing"] as? [String: Double] }
        let frames = lines.compactMap { $0["frame"] as? [String: Int] }
        let longest = timings.compactMap { $0["total"] }.max() ?? 0
        #expect(frames.count == lines.count && frames.reduce(0) { $0 + 1 + ($1["skipped"] ?? 0) } == 1600)
        #expect(lines.count < 1600)
        for timing in timings { #expect(timing["age"]! <= timing["total"]! + longest) }
    }

    /// No thread runs between frames; memory and descriptors do not grow with the number of frames.
    @Test func idleMeansIdle() throws {
        let frames = stream(FrameLayout(.yuv420, size: Self.size), 1)
        let measure = """
            ticks() { awk '{ print $14 + $15 }' /proc/$pid/stat; }
            cat stream >&3; until_lines 1
            for i in $(seq 2 40); do cat stream >&3; until_lines $i; done
            echo descriptors $(ls /proc/$pid/fd | wc -l) threads $(ls /proc/$pid/task | wc -l)
            a=$(ticks); sleep 2; b=$(ticks); echo idle $((b - a))
            awk '/VmRSS/ { print "memory", $2 }' /proc/$pid/status
            for i in $(seq 41 100); do cat stream >&3; until_lines $i; done
            echo descriptors $(ls /proc/$pid/fd | wc -l) threads $(ls /proc/$pid/task | wc -l)
            awk '/VmRSS/ { print "memory", $2 }' /proc/$pid/status
            exec 3>&-; wait $pid; echo status $?
            """
        let result = try live(measure, ["--threads", "3"], frames: frames)
        let lines = result.output.split(separator: "\n").map(String.init)
        #expect(lines.last == "status 0", "\(result.output)")
        let counts = lines.filter { $0.hasPrefix("descriptors") }
        let memory = lines.compactMap { $0.split(separator: " ").first == "memory" ? Int($0.split(separator: " ")[1]) : nil }
        #expect(counts.count == 2 && counts[0] == counts[1])
        // Of 200 ticks, less than two percent.
        #expect(lines.contains { $0.hasPrefix("idle ") && (Int($0.dropFirst(5)) ?? 99) < 4 }, "\(result.output)")
        #expect(memory.count == 2 && memory[1] - memory[0] < 1024, "\(result.output)")
    }
}
