import Foundation
import Imaging
import Kernels
import Network
import TestSupport
import Testing

@testable import Evaluate
@testable import ModelFormat

/// The same predictions, measured by panopticapi and pycocotools (`Fixtures/evaluate/make_evaluate.py`) and by `Evaluate`.
@Suite struct AgreementTests {
    private struct Expected: Decodable {
        struct Quality: Decodable {
            let pq, sq, rq: Double
        }

        struct Panoptic: Decodable {
            let all, things, stuff: Quality
            let classes: [String: Quality]
            let iou: [String: Double]
        }

        struct Precision: Decodable {
            let ap, ap50, ap75, small, medium, large: Double
        }

        struct Instances: Decodable {
            let areas: [Int]
            let all, first, second: Precision

            private enum CodingKeys: String, CodingKey {
                case areas, all
                case first = "1"
                case second = "4"
            }
        }

        let panoptic: Panoptic
        let instances: Instances
    }

    private struct Detection: Decodable {
        let imageId, categoryId: Int
        let score: Double
        let segmentation: CocoMask
    }

    private static let size = Size(height: 120, width: 136)

    private func decode<Value: Decodable>(_ name: String) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Value.self, from: Data(try Fixture.bytes("evaluate/" + name)))
    }

    private func read(_ name: String) throws -> CocoPanoptic {
        try CocoPanoptic(path: try Fixture.path("evaluate/\(name).json"), pictures: "pictures")
    }

    @Test func panopticQualityIsPanopticapis() throws {
        let expected = (try decode("expected.json") as Expected).panoptic
        let truths = try read("truth")
        let predictions = try read("prediction")
        let matching = try matching(truths.categories)
        var measured = PanopticQuality(classes: matching.classes.count)
        for index in truths.pictures.indices {
            measured.add(
                truth: try #require(truths.truth(index, size: Self.size, matching: matching).panoptic),
                prediction: try #require(predictions.truth(index, size: Self.size, matching: matching).panoptic))
        }
        func expectEqual(_ score: PanopticQuality.Score?, _ expected: Expected.Quality, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let score = try #require(score, sourceLocation: sourceLocation)
            #expect(abs(score.quality - expected.pq) < 1e-9, sourceLocation: sourceLocation)
            #expect(abs(score.segmentation - expected.sq) < 1e-9, sourceLocation: sourceLocation)
            #expect(abs(score.recognition - expected.rq) < 1e-9, sourceLocation: sourceLocation)
        }
        let classes = matching.classes.indices
        try expectEqual(measured.mean(classes), expected.all)
        try expectEqual(measured.mean(classes.filter { matching.classes[$0].isThing }), expected.things)
        try expectEqual(measured.mean(classes.filter { !matching.classes[$0].isThing }), expected.stuff)
        for (index, category) in truths.categories.enumerated() {
            try expectEqual(measured.mean([index]), try #require(expected.classes[String(category.id)]))
        }
    }

    @Test func intersectionOverUnionIsNumpys() throws {
        let expected = (try decode("expected.json") as Expected).panoptic.iou
        let truths = try read("truth")
        let predictions = try read("prediction")
        let matching = try matching(truths.categories)
        var measured = MeanIntersectionOverUnion(classes: matching.classes.count)
        for index in truths.pictures.indices {
            measured.add(
                truth: try #require(truths.truth(index, size: Self.size, matching: matching).semantic),
                prediction: try #require(predictions.truth(index, size: Self.size, matching: matching).semantic))
        }
        for (index, category) in truths.categories.enumerated() {
            #expect(abs(try #require(measured.counts[index].score) - (try #require(expected[String(category.id)]))) < 1e-12)
        }
        let mean = expected.values.reduce(0, +) / Double(expected.count)
        #expect(abs(try #require(measured.mean(matching.classes.indices)) - mean) < 1e-12)
    }

    @Test func averagePrecisionIsPycocotools() throws {
        let expected = (try decode("expected.json") as Expected).instances
        let truths = try CocoInstances(path: try Fixture.path("evaluate/instances.json"), pictures: "pictures")
        let matching = try matching(truths.categories)
        let detections: [Detection] = try decode("detections.json")
        var measured = AveragePrecision(classes: matching.classes.count)
        var areas: [Int] = []
        for index in truths.pictures.indices {
            let truth = try #require(try truths.truth(index, size: Self.size, matching: matching).instances)
            areas += truth.map(\.mask.area)
            let predictions = try detections.filter { $0.imageId == index }.map { detection in
                AveragePrecision.Prediction(
                    category: try #require(matching.ofCategory[detection.categoryId]), score: detection.score,
                    mask: try detection.segmentation.mask(Self.size, place: "detections.json"))
            }
            measured.add(truths: truth, predictions: predictions)
        }
        #expect(areas == expected.areas)
        for (expected, classes) in [(expected.all, [0, 1]), (expected.first, [0]), (expected.second, [1])] {
            let figures = [
                (measured.mean(classes), expected.ap), (measured.mean(classes, threshold: 0), expected.ap50),
                (measured.mean(classes, threshold: 5), expected.ap75), (measured.mean(classes, extent: .small), expected.small),
                (measured.mean(classes, extent: .medium), expected.medium), (measured.mean(classes, extent: .large), expected.large),
            ]
            for (index, (ours, theirs)) in figures.enumerated() {
                // -1 stands for a mean over nothing.
                #expect(abs((ours ?? -1) - theirs) < 1e-9, "figure \(index) of classes \(classes)")
            }
        }
    }
}

/// A vocabulary with a class for each category, by name; the first two and stuff are seen.
func vocabulary(_ categories: [DatasetCategory]) -> (categories: [Vocabulary.Category], names: [String]) {
    let classes = categories.enumerated().map { index, category in
        Vocabulary.Category(
            name: category.name, firstName: index, nameCount: 1, isThing: category.isThing ?? true, isSeen: index != 2, colour: Colour(0x808080),
            id: category.id)
    }
    return (classes, categories.map(\.name))
}

func matching(_ categories: [DatasetCategory]) throws -> ClassMatching {
    let vocabulary = vocabulary(categories)
    return try ClassMatching(categories, vocabulary.categories, names: vocabulary.names, by: .name)
}
