import Foundation
import Kernels
import Network
import System
import TestSupport
import Testing

@testable import Evaluate
@testable import Imaging
@testable import ModelFormat

/// Whole evaluations with networks whose predictions are known.
@Suite struct EvaluationTests {
    private static let size = Size(height: 120, width: 136)

    /// Grey pictures with the fixture's annotations, without its crowds.
    private struct Pictures: Dataset {
        let path = "truth.json"
        let pictures: [String]
        let annotations: CocoPanoptic
        var categories: [DatasetCategory] { annotations.categories }
        var measures: Set<Measure> { annotations.measures }
        var files: [String] { [path] + pictures }
        func announcedSizes(of index: Int) -> [(source: String, size: Size)] { [] }

        init(in folder: TemporaryFolder) throws {
            annotations = try CocoPanoptic(path: try Fixture.path("evaluate/truth.json"), pictures: "")
            pictures = annotations.pictures.indices.map { folder.path("\($0).png") }
            for path in pictures { try PNG.write(rgb: [UInt8](repeating: 128, count: size.area * 3), size: size, to: path) }
        }

        func truth(_ index: Int, size: Size, matching: ClassMatching) throws(Fault) -> GroundTruth {
            let map = try annotations.truth(index, size: size, matching: matching).panoptic!
            let crowds = Set(map.segments.filter(\.isCrowd).map(\.id))
            return GroundTruth(
                PanopticMap(size: size, ids: map.ids.map { crowds.contains($0) ? 0 : $0 }, segments: map.segments.filter { !$0.isCrowd }),
                things: matching.classes.map(\.isThing))
        }
    }

    /// The ground truth in the form of a prediction.
    private func predictions(_ truth: GroundTruth, _ matching: ClassMatching) -> TaskPredictions {
        let map = truth.panoptic!
        func segment(_ index: Int, _ category: Int) -> Segment {
            Segment(
                id: index + 1, category: matching.classes[category].vocabulary, synonym: 0, isThing: matching.classes[category].isThing, score: 0.9, area: 1,
                box: Box(x: 0, y: 0, width: 1, height: 1))
        }
        return TaskPredictions(Set(Measure.allCases)) { task in
            var result = Segmentation(task: task, size: map.size)
            switch task {
            case .panoptic:
                result.segments = map.segments.enumerated().map { segment($0, $1.category) }
                let numbers = Dictionary(uniqueKeysWithValues: map.segments.enumerated().map { ($1.id, UInt16($0 + 1)) })
                result.labels = map.ids.map { numbers[$0] ?? 0 }
            case .semantic:
                result.segments = matching.classes.indices.map { segment($0, $0) }
                result.labels = truth.semantic!.map { UInt16($0 + 1) }
            case .instance:
                result.segments = truth.instances!.enumerated().map { segment($0, $1.category) }
                result.masks = truth.instances!.map(\.mask.words)
            }
            return result
        }
    }

    @Test func theTruthScoresAllAndSilenceNothing() throws {
        let folder = try TemporaryFolder()
        let data = try Pictures(in: folder)
        let matching = try matching(data.categories)
        let vocabulary = vocabulary(data.categories)
        let silentPicture = 2
        var next = 0
        let truthful = Evaluation.Candidate(name: "truthful") { _, _, _ in
            self.predictions(try! data.truth(next, size: Self.size, matching: matching), matching)
        }
        let forgetful = Evaluation.Candidate(name: "forgetful") { _, geometry, measures in
            if next == silentPicture { return TaskPredictions(measures) { Segmentation(task: $0, size: geometry.picture) } }
            return self.predictions(try! data.truth(next, size: Self.size, matching: matching), matching)
        }
        let evaluation = Evaluation(
            data, matching: matching, preprocessing: Preprocessing(shortestEdge: 64, maximumSize: 128), candidates: [truthful, forgetful], failures: 2)
        for index in data.pictures.indices {
            next = index
            try evaluation.add(index)
        }
        let all = matching.classes.indices
        let things = all.filter { matching.classes[$0].isThing }
        let (whole, part) = (evaluation.measurements[0], evaluation.measurements[1])
        #expect(whole.panoptic.mean(all)?.quality == 1 && whole.semantic.mean(all) == 1)
        #expect(abs(try #require(whole.instances.mean(things)) - 1) < 1e-12)
        for quality in [part.panoptic.mean(all)?.quality, part.semantic.mean(all), part.instances.mean(things)] {
            #expect(try #require(quality) < 0.99 && quality! > 0.5)
        }
        #expect(evaluation.failures.count == 2)
        #expect(evaluation.failures[0].path == data.pictures[silentPicture] && evaluation.failures[0].qualities == [1, 0])

        let output = folder.path("report")
        let legend = Legend(vocabulary.categories.map { Legend.Entry(names: [$0.name], colour: $0.colour) })
        try Report(evaluation, legend: legend, provenance: ["a test"]).write(to: output)
        let text = try String(contentsOfFile: output + "/report.md", encoding: .utf8)
        #expect(text.contains("| PQ truthful | PQ forgetful | difference |") && text.contains("| unseen (1) ") && text.contains("star (thing, unseen)"))
        #expect(text.contains("(worst/01-\(silentPicture).png)"))
        let shown = try Picture.read(path: output + "/worst/01-\(silentPicture).png")
        #expect(shown.size == Size(height: 120, width: 4 * 136 + 3 * 6))
        // The ground truth and the correct network are painted; the network without segments leaves the picture unchanged.
        func panel(_ index: Int) -> [UInt8] {
            let start = (60 * shown.size.width + index * 142) * 3
            return Array(UnsafeBufferPointer(start: shown.pixels + start, count: 136 * 3))
        }
        #expect(panel(0) == panel(3) && panel(0).allSatisfy { $0 == 128 } && panel(1) != panel(0) && panel(2) != panel(0))
    }

    @Test func reportNeedsAFolder() throws {
        let folder = try TemporaryFolder()
        let data = try Pictures(in: folder)
        let matching = try matching(data.categories)
        let evaluation = Evaluation(data, matching: matching, preprocessing: Preprocessing(), candidates: [], failures: 0)
        let file = try folder.file("taken", [1])
        #expect(faultMessage { try Report(evaluation, legend: Legend([]), provenance: []).write(to: file + "/report") }?.contains("taken") == true)
    }
}
