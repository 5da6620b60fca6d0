import Foundation
import System
import TestSupport
import Testing

/// Faults around the programs: too little memory, unreadable system files, an end by signal.
@Suite struct FaultTests {
    /// Under any limit the result is segments, or one line that names the missing memory: never a crash.
    @Test func anyLimitOfMemory() throws {
        let tiny = try TinyModel.shared.get()
        let picture = try TinyModel.picture.get()
        var refused = 0
        var done = 0
        for limit in stride(from: 30_000, through: 140_000, by: 10_000) {
            // Libraries and the program's own tables are loaded first, and are not counted.
            let shell = "ulimit -v \(limit); exec \"$@\""
            guard try Program.edge.run(["--version"], shell: shell).status == 0 else { continue }
            let result = try Program.edge.run(
                ["bench", "--model", tiny.model, "--vocab", tiny.vocabulary, "--image", picture, "--input-size", "512x512", "--frames", "1", "--json", "-"],
                shell: shell)
            #expect(result.status == 0 || result.status == 1, "\(limit) KB: status \(result.status), \(result.errors)")
            if result.status == 0 {
                done += 1
            } else {
                refused += 1
                #expect(result.errorLines.count == 1 && result.output.isEmpty, "\(limit) KB: \(result.errors)")
            }
        }
        #expect(refused > 0 && done > 0, "\(refused) refused, \(done) done")
    }

    /// Limits from the smallest at which the system can load the program.
    @Test func anyLimitOfAddressSpace() throws {
        let tiny = try TinyModel.shared.get()
        let picture = try TinyModel.picture.get()
        var faults: [String] = []
        // Swift's crash handler, which `swift test` enables, needs memory, too, and prints a line of its own.
        let shell = "export SWIFT_BACKTRACE=enable=no; ulimit -v"
        for limit in stride(from: 14_000, through: 44_000, by: 250) {
            let result = try Program.edge.run(
                ["--model", tiny.model, "--vocab", tiny.vocabulary, "--image", picture, "--threads", "2"], shell: "\(shell) \(limit); exec \"$@\"")
            // Below that, its libraries cannot be loaded or initialized; the board's program has none.
            if faults.isEmpty, result.status != 1 { continue }
            #expect(result.status == 0 || result.status == 1, "\(limit) KB: status \(result.status), \(result.errors)")
            guard result.status != 0 else { break }
            #expect(result.errorLines.count == 1 && result.output.isEmpty, "\(limit) KB: \(result.errors)")
            faults.append(result.errors)
        }
        #expect(faults.first?.contains("needs 16 MiB of address space to start") == true, "\(faults)")
        #expect(faults.last?.contains(/needs \d+ MiB of memory, \d+ MiB are free/) == true, "\(faults)")
    }

    /// A file that does not fit into the process's memory; its contents do not matter.
    @Test func modelTooLargeForMemory() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let model = folder.path("large.gguf")
        try FileManager.default.copyItem(atPath: tiny.model, toPath: model)
        #expect(truncate(model, 3 << 30) == 0)
        let result = try Program.edge.run(
            ["--model", model, "--vocab", tiny.vocabulary, "--image", try TinyModel.picture.get()], shell: "ulimit -v 1000000; exec \"$@\"")
        #expect(result.status == 1 && result.errorLines.count == 1 && result.output.isEmpty, "status \(result.status): \(result.errors)")
        // It is not read into memory before its size is checked.
        #expect(result.errors.contains("large.gguf: 3221225472 bytes long, but its contents end at byte"), "\(result.errors)")
    }

    @Test func pictureTooLargeForMemory() throws {
        let tiny = try TinyModel.shared.get()
        let result = try Program.edge.run(
            ["bench", "--model", tiny.model, "--vocab", tiny.vocabulary, "--input-size", "8192x8192", "--frames", "1"], shell: "ulimit -v 1500000; exec \"$@\"")
        #expect(result.status == 1 && result.errorLines.count == 1, "status \(result.status): \(result.errors)")
        let fault = try #require(result.errors.firstMatch(of: /a picture of 8192x8192 needs (\d+) MiB of memory, (\d+) MiB are free/))
        #expect(Int(fault.1)! > Int(fault.2)! && Int(fault.2)! < 1500)
    }

    /// If files under `/proc` and `/sys` cannot be read, only their information is missing.
    @Test func unreadableSystemFiles() throws {
        let tiny = try TinyModel.shared.get()
        let picture = try TinyModel.picture.get()
        let hide =
            "for f in meminfo cpuinfo self/status self/cgroup; do mount --bind /dev/null /proc/$f 2>/dev/null; done; mount -t tmpfs none /sys && exec \"$@\""
        let result = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--image", picture],
            shell: "exec unshare --user --map-root-user --mount sh -c '\(hide)' sh \"$@\"")
        #expect(result.status == 0 && result.output.contains("segments"), "\(result.errors)")
    }

    /// Devices and pipes are written to, not replaced by a file.
    @Test func devicesAndPipesStay() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let picture = try TinyModel.picture.get()
        let plain = try tiny.segment(["--image", picture, "--labels", folder.path("labels.png")])
        #expect(plain.status == 0, "\(plain.errors)")
        let result = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--image", picture, "--labels", folder.path("pipe"), "--json", folder.path("device")],
            shell: "cd '\(folder.path)'; mkfifo pipe; ln -s /dev/zero device; cat pipe >copy.png & \"$@\"; status=$?; wait; exit $status")
        #expect(result.status == 0, "\(result.errors)")
        #expect(try folder.contents() == ["copy.png", "device", "labels.png", "pipe"])
        #expect(try Data(contentsOf: URL(filePath: folder.path("copy.png"))) == Data(contentsOf: URL(filePath: folder.path("labels.png"))))
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.path("device")) == "/dev/zero")
    }

    /// A board without GPIO, or one whose kernel has no driver for it.
    @Test(arguments: ["GPIO17:person", "gpiochip0:17:person", "/dev/gpiochip0:17:person", "0:17:person"])
    func noGPIOChips(alarm: String) throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let input = try folder.file("frame", [UInt8](repeating: 90, count: 28800))
        let result = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "yuv420:160x120", "--alarm", alarm],
            shell: "exec unshare --user --map-root-user --mount sh -c 'mount -t tmpfs none /dev && exec \"$@\" <\"\(input)\"' sh \"$@\"")
        #expect(result.status == 1 && result.output.isEmpty && result.errorLines.count == 1, "status \(result.status): \(result.errors)")
        #expect(result.errors.contains("this board has no such line; gpioinfo lists those there are"), "\(result.errors)")
    }

    /// SIGTERM while pictures are being segmented: finished files stay, incomplete ones are removed.
    @Test func endLeavesWholeFilesOnly() throws {
        let tiny = try TinyModel.shared.get()
        let pictures = try TemporaryFolder()
        let output = try TemporaryFolder()
        let picture = try Data(contentsOf: URL(filePath: try TinyModel.picture.get()))
        for index in 0..<40 { _ = try pictures.file("\(index).jpg", [UInt8](picture)) }
        let process = Process()
        process.executableURL = URL(filePath: Program.edge.path)
        process.arguments = [
            "--model", tiny.model, "--vocab", tiny.vocabulary, "--image", pictures.path, "--instruction-set", "scalar", "--threads", "1",
            "--json", output.path("all.json"), "--labels", output.path("labels"), "--overlay", output.path("overlays"),
        ]
        // Test threads block signals, and programs inherit that.
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        try process.run()
        pthread_sigmask(SIG_SETMASK, &before, nil)
        let labels = { (try? FileManager.default.contentsOfDirectory(atPath: output.path("labels"))) ?? [] }
        let deadline = Date().addingTimeInterval(60)
        while labels().count < 2, Date() < deadline { usleep(1000) }
        #expect(try output.contents().contains { $0.hasPrefix("all.json.part-") })
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGTERM)
        #expect(try output.contents() == ["labels", "overlays"])
        let files = labels().map { "labels/" + $0 } + (try FileManager.default.contentsOfDirectory(atPath: output.path("overlays"))).map { "overlays/" + $0 }
        #expect(files.count >= 3 && files.count < 80)
        for file in files {
            #expect(file.hasSuffix(".jpg.png"), "\(file)")
            // The last chunk of a whole PNG.
            #expect(try Data(contentsOf: URL(filePath: output.path(file))).suffix(8).prefix(4) == Data("IEND".utf8), "\(file)")
        }
    }
}
