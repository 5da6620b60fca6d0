import Foundation
import TestSupport
import Testing

/// What goes wrong around the programs: too little memory, unreadable system files, an end by signal.
@Suite struct FaultTests {
    /// Whatever the limit, there are segments, or one line that says what is missing: never a crash.
    @Test func anyLimitOfMemory() throws {
        let tiny = try TinyModel.shared.get(), picture = try TinyModel.picture.get()
        var refused = 0, done = 0
        for limit in stride(from: 30_000, through: 140_000, by: 10_000) {
            // Libraries and the program's own tables come first, and are not counted.
            let shell = "ulimit -v \(limit); exec \"$@\""
            guard try Program.edge.run(["--version"], shell: shell).status == 0 else { continue }
            let result = try Program.edge.run(
                ["bench", "--model", tiny.model, "--vocab", tiny.vocabulary, "--image", picture, "--size", "512x512", "--frames", "1", "--json", "-"], shell: shell)
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

    @Test func pictureTooLargeForMemory() throws {
        let tiny = try TinyModel.shared.get()
        let result = try Program.edge.run(
            ["bench", "--model", tiny.model, "--vocab", tiny.vocabulary, "--size", "8192x8192", "--frames", "1"], shell: "ulimit -v 1500000; exec \"$@\"")
        #expect(result.status == 1 && result.errorLines.count == 1, "status \(result.status): \(result.errors)")
        let fault = try #require(result.errors.firstMatch(of: /a picture of 8192x8192 needs (\d+) MiB of memory, (\d+) MiB are free/))
        #expect(Int(fault.1)! > Int(fault.2)! && Int(fault.2)! < 1500)
    }

    /// Files under `/proc` and `/sys` that cannot be read take nothing but their information away.
    @Test func unreadableSystemFiles() throws {
        let tiny = try TinyModel.shared.get(), picture = try TinyModel.picture.get()
        let hide = "for f in meminfo self/status self/cgroup; do mount --bind /dev/null /proc/$f 2>/dev/null; done; mount -t tmpfs none /sys && exec \"$@\""
        let result = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--image", picture],
            shell: "exec unshare --user --map-root-user --mount sh -c '\(hide)' sh \"$@\"")
        #expect(result.status == 0 && result.output.contains("segments"), "\(result.errors)")
    }

    /// SIGTERM while pictures are being segmented: what was finished stays, nothing half-written does.
    @Test func endLeavesWholeFilesOnly() throws {
        let tiny = try TinyModel.shared.get(), pictures = try TemporaryFolder(), output = try TemporaryFolder()
        let picture = try Data(contentsOf: URL(filePath: try TinyModel.picture.get()))
        for index in 0..<40 { _ = try pictures.file("\(index).jpg", [UInt8](picture)) }
        let process = Process()
        process.executableURL = URL(filePath: Program.edge.path)
        process.arguments = ["--model", tiny.model, "--vocab", tiny.vocabulary, "--image", pictures.path, "--isa", "scalar", "--threads", "1",
                             "--json", output.path("all.json"), "--labels", output.path("labels"), "--overlay", output.path("overlays")]
        // Test threads block signals, and programs inherit that.
        var none = sigset_t(), before = sigset_t()
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
