import Foundation
import Kernels
import ModelFormat
import System
import TestSupport
import Testing

/// Pictures, tables, budgets and reports of `quantize`.
@Suite struct QuantizeOptionsTests {
    private func quantize(_ folder: TemporaryFolder, _ output: String, _ arguments: [String], calib: String? = nil) throws -> Program.Result {
        let tiny = try TinyModel.shared.get()
        return try Program.quantize.run(
            tiny.checkpoint + ["--calib", calib ?? tiny.pictures, "--shortest-edge", "64", "--output", folder.path(output)] + arguments)
    }

    private func floatLayers(_ path: String) throws -> Set<String> {
        Set(try ModelFile(path: path).file.tensors.filter { $0.name.hasSuffix(".weight") && $0.kind == .float32 && !$0.name.contains("norm") }.map(\.name))
    }

    /// The same pictures, named in three ways, give the same bytes.
    @Test func picturesAreAFolderAListOrAPattern() throws {
        let folder = try TemporaryFolder()
        let pictures = try TinyModel.shared.get().pictures
        let list = folder.path("list.txt")
        try "\(pictures)/synth_161x97.png\n\(pictures)/synth_420x300.jpg\n".write(toFile: list, atomically: true, encoding: .utf8)
        for (output, calib) in [("a.gguf", pictures), ("b.gguf", list), ("c.gguf", pictures + "/synth_*")] {
            let result = try quantize(folder, output, [], calib: calib)
            #expect(result.status == 0, "\(result.errors)")
        }
        let files = ["a", "b", "c"].map { FileManager.default.contents(atPath: folder.path($0 + ".gguf")) }
        #expect(files[0] != nil && files[0] == files[1] && files[0] == files[2])
        let none = try quantize(folder, "d.gguf", [], calib: pictures + "/*.tiff")
        #expect(none.status == 1 && none.errors.contains("*.tiff: no file has such a name"), "\(none.errors)")
    }

    /// A budget leaves layers in float32; the table that it writes does the same without it.
    @Test func aBudgetIsMetAndItsTableObeyed() throws {
        let folder = try TemporaryFolder()
        let table = folder.path("table.txt")
        let met = try quantize(folder, "met.gguf", ["--budget", "26", "--sensitivity", table, "--report", folder.path("report.html")])
        #expect(met.status == 0 && met.errors.contains("parts stay in float32"), "\(met.errors)")
        let whole = try quantize(folder, "whole.gguf", [])
        #expect(whole.status == 0, "\(whole.errors)")
        let floats = try floatLayers(folder.path("met.gguf"))
        #expect(try floats.count > floatLayers(folder.path("whole.gguf")).count)
        let obeyed = try quantize(folder, "obeyed.gguf", ["--table", table])
        #expect(obeyed.status == 0, "\(obeyed.errors)")
        #expect(try floatLayers(folder.path("obeyed.gguf")) == floats)
        // The board's program runs it.
        let tiny = try TinyModel.shared.get()
        let run = try Program.edge.run(
            ["--model", folder.path("met.gguf"), "--vocab", tiny.vocabulary, "--image", try TinyModel.picture.get(), "--json", "-"])
        #expect(run.status == 0, "\(run.errors)")
        let report = try String(contentsOfFile: folder.path("report.html"), encoding: .utf8)
        #expect(report.contains("pixel_decoder.layer0.output") && report.contains("<svg") && report.hasSuffix("</html>\n"))
        for reference in ["src=", "href=", "url(", "http"] { #expect(!report.contains(reference)) }
    }

    @Test func whatCannotBeIsSaid() throws {
        let folder = try TemporaryFolder()
        try "backbone* float32\n".write(toFile: folder.path("table.txt"), atomically: true, encoding: .utf8)
        let depthwise = try quantize(folder, "a.gguf", ["--table", folder.path("table.txt")])
        #expect(depthwise.status == 1 && depthwise.errors.contains("depthwise convolutions are int8"), "\(depthwise.errors)")
        let unmet = try quantize(folder, "b.gguf", ["--budget", "200"])
        #expect(unmet.status == 1 && unmet.errors.contains("--budget: "), "\(unmet.errors)")
        let absent = try quantize(folder, "c.gguf", ["--table", folder.path("absent.txt")])
        #expect(absent.status == 1 && absent.errors.contains("absent.txt"), "\(absent.errors)")
        #expect(try folder.contents() == ["table.txt"])
    }
}
