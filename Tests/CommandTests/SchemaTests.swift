import Foundation
import TestSupport
import Testing

/// Every line that the program writes is valid by `Sources/Sinks/segments.schema.json`.
@Suite struct SchemaTests {
    private func schema() throws -> JSONSchema { try JSONSchema(path: Fixture.repository + "/Sources/Sinks/segments.schema.json") }

    @Test(arguments: ["panoptic", "semantic", "instance"], [[], ["--no-masks"]]) func pictures(task: String, arguments: [String]) throws {
        let result = try TinyModel.shared.get().segment(["--image", try Fixture.path("pictures"), "--task", task] + arguments)
        let lines = result.output.split(separator: "\n")
        #expect(lines.count > 20)
        for line in lines { #expect(try schema().violations(line) == []) }
    }

    @Test func streams() throws {
        let tiny = try TinyModel.shared.get()
        let picture = try Fixture.path("pictures/synth_420x300.jpg")
        let result = try Program.edge.run(
            ["--model", tiny.model, "--vocab", tiny.vocabulary, "--stdin", "mjpeg", "--every-frame"], shell: "cat '\(picture)' '\(picture)' | \"$@\"")
        let lines = result.output.split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.contains("\"frame\":{") && $0.contains("\"captured\":") && $0.contains("\"age\":") })
        for line in lines { #expect(try schema().violations(line) == []) }
    }

    /// The schema and its checker find errors.
    @Test func wrongLines() throws {
        let line = try #require(try TinyModel.shared.get().segment(["--image", try TinyModel.picture.get()]).output.split(separator: "\n").first)
        let schema = try schema()
        for (right, wrong, message) in [
            ("\"schema\":1", "\"schema\":2", "$.schema: is not 1"), ("\"task\":\"panoptic\"", "\"task\":\"other\"", "$.task: is none of"),
            ("\"id\":1,", "\"id\":0,", "$.segments[0].id: below 1"), ("\"id\":1,", "", "$.segments[0].id: is missing"),
            ("\"isthing\":true", "\"isthing\":1", "$.segments[0].isthing: is no boolean"), ("\"width\":420", "\"width\":4.5", "$.size.width: is no integer"),
            ("\"identity\":\"", "\"identify\":\"", "$.model.identity: is missing"), ("\"box\":[", "\"box\":[1,", "$.segments[0].box: more than 4"),
            ("\"counts\":\"", "\"counts\":7,\"x\":\"", "$.segments[0].rle.counts: is no string"), ("\"total\":", "\"total\":-", "$.timing.total: below 0"),
        ] {
            let changed = line.replacing(right, with: wrong, maxReplacements: 1)
            #expect(changed != line)
            let violations = try schema.violations(changed)
            #expect(violations.contains { $0.hasPrefix(message) }, "\(message): \(violations)")
        }
    }
}
