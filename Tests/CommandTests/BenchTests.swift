import Evaluate
import Foundation
import System
import TestSupport
import Testing

/// `fcclip-edge bench`: its figures must be consistent.
@Suite struct BenchTests {
    struct Report: Decodable {
        struct Entry: Decodable {
            let name: String
            let milliseconds: Double
            let multiply_adds: Int
            let steps: [Entry]?
            let gemm_kernels: Kernels?

            struct Kernels: Decodable {
                let name: String
                let milliseconds: Double
                let multiply_adds: Int
            }
        }

        struct Extent: Decodable, Equatable {
            let width: Int
            let height: Int
        }

        let schema: Int
        let version: String
        let commit: String?
        let processor: String?
        let kernels: String
        let threads: Int
        let frames: Int
        let input: Extent
        let picture: Extent
        let peak_multiply_adds_per_second: Double
        let total: Entry
        let stages: [Entry]
        let peak_resident_bytes: Int
        let packed_bytes: Int
        let scratch_bytes: Int
        let start_milliseconds: Double
        let open_milliseconds: Double
        let pack_milliseconds: Double
    }

    struct KernelReport: Decodable {
        let version: String
        let commit: String?
        let processor: String?

        struct Kernels: Decodable {
            struct Rate: Decodable {
                let name: String
                let multiply_adds_per_second: Double
            }

            let name: String
            let peak_multiply_adds_per_second: Double
            let rates: [Rate]
        }

        let kernels: [Kernels]
    }

    private func bench(_ arguments: [String]) throws -> Report {
        let tiny = try TinyModel.shared.get()
        let result = try Program.edge.run(["bench", "--model", tiny.model, "--vocab", tiny.vocabulary, "--json", "-"] + arguments)
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(result.output.utf8))
    }

    @Test func stagesAddUp() throws {
        let report = try bench(["--input-size", "96x64", "--frames", "5", "--threads", "2"])
        #expect(report.schema == 1 && report.threads == 2 && report.frames == 5)
        #expect(report.version == ProgramVersion.number && report.commit == ProgramVersion.commit && report.processor == ProcessorInfo().name)
        #expect(report.input == .init(width: 96, height: 64) && report.picture == report.input)
        #expect(
            report.stages.map(\.name) == [
                "preprocessing", "backbone stage 1", "backbone stage 2", "backbone stage 3", "backbone stage 4", "pixel decoder", "mask decoder",
                "open-vocabulary head", "post-processing",
            ])
        #expect(report.peak_multiply_adds_per_second > 1e8)
        #expect(report.total.multiply_adds == report.stages.reduce(0) { $0 + $1.multiply_adds })
        for stage in report.stages {
            let steps = try #require(stage.steps)
            let gemms = try #require(stage.gemm_kernels)
            #expect(gemms.milliseconds >= 0 && (gemms.milliseconds > 0) == (gemms.multiply_adds > 0), "\(stage.name)")
            #expect(stage.milliseconds > 0 && stage.multiply_adds == steps.reduce(0) { $0 + $1.multiply_adds })
        }
        #expect(report.peak_resident_bytes > report.packed_bytes && report.packed_bytes > 0 && report.scratch_bytes > 0)
        #expect(report.open_milliseconds > 0 && report.pack_milliseconds > 0)
        // From the program's start to the first kernel.
        #expect(report.start_milliseconds > 0 && report.start_milliseconds < 50)
    }

    /// The fixture's first stage at 96x64: a 4x4 stem and its blocks, counted here by hand.
    @Test func multiplyAddsAreThoseOfTheShapes() throws {
        let small = try bench(["--input-size", "96x64", "--frames", "1"])
        let large = try bench(["--size", "192x128", "--frames", "1"])
        for (a, b) in zip(small.stages, large.stages).dropFirst().prefix(4) { #expect(b.multiply_adds == 4 * a.multiply_adds) }
        // 16 x 24 pixels, depth 2 with 16 channels: stem, 7x7 and both layers of each block.
        let dims = 16
        let depth = 2
        let pixels = 16 * 24
        #expect(small.stages[1].multiply_adds == pixels * (48 * dims + depth * (49 * dims + 8 * dims * dims)))
    }

    /// The options decide what is measured.
    @Test func optionsCount() throws {
        let picture = try TinyModel.picture.get()
        let report = try bench(["--image", picture, "--instruction-set", "scalar", "--threads", "1", "--frames", "1", "--task", "semantic"])
        #expect(report.kernels == "scalar" && report.threads == 1)
        #expect(report.picture == .init(width: 420, height: 300))
        #expect(min(report.input.width, report.input.height) == 128)
        let resized = try bench(["--image", picture, "--size", "64x64", "--frames", "1"])
        #expect(resized.input == .init(width: 64, height: 64) && resized.picture == .init(width: 420, height: 300))
    }

    @Test func tableAndFile() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let path = folder.path("bench.json")
        let result = try Program.edge.run([
            "bench", "--model", tiny.model, "--vocab", tiny.vocabulary, "--input-size", "64x64", "--frames", "2", "--json", path,
        ])
        #expect(result.status == 0, "\(result.errors)")
        for words in ["backbone stage 3", "GMAC/s", "of peak", "resident at most", "64x64"] { #expect(result.output.contains(words)) }
        let report = try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(filePath: path)))
        #expect(report.frames == 2)
        #expect(try folder.contents() == ["bench.json"])
    }

    @Test func everyKernelIsTimed() throws {
        let result = try Program.edge.run(["bench", "--kernels", "--json", "-"])
        #expect(result.status == 0, "\(result.errors)")
        let report = try JSONDecoder().decode(KernelReport.self, from: Data(result.output.utf8))
        let version = try Program.edge.run(["--version"]).output
        #expect(report.kernels.count > 1)
        // The program, its commit if the build knew it, and the processor, as in the network's benchmark.
        #expect(version.hasPrefix("fcclip-edge " + report.version + (report.commit.map { " (\($0))" } ?? "") + "\n"), "\(version)")
        #expect(report.processor == ProcessorInfo().name)
        for kernels in report.kernels {
            #expect(version.contains(kernels.name) && kernels.peak_multiply_adds_per_second > 0)
            #expect(kernels.rates.count > 5 && kernels.rates.allSatisfy { $0.multiply_adds_per_second > 0 })
        }
    }

    @Test(arguments: [
        ["--model", "x"], ["--input-size", "64"], ["--size", "0x64"], ["--size", "64x64x64"], ["--frames", "0"], ["--instruction-set", "mmx"],
        ["--overlay", "x"],
        ["--model", "absent.gguf", "--vocab", "absent.gguf"], ["--kernels", "--json", "/proc/none/here"],
    ])
    func wrongOptions(arguments: [String]) throws {
        let result = try Program.edge.run(["bench"] + arguments)
        #expect(result.status == 1 && result.errorLines.count == 1 && result.errors.contains("error: "), "\(result.errors)")
        #expect(result.output.isEmpty)
    }
}
