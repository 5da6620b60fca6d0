import Calibrate
import Checkpoint
import Kernels
import TestSupport
import Testing

@testable import Imaging
@testable import ModelFormat
@testable import Network

/// The panoptic task against its plain order of work: all masks at the picture's size, then the largest score, then the areas
/// (fcclip's `panoptic_inference`).
@Suite struct PanopticTests {
    private let folder: TemporaryFolder
    private let arithmetic: FloatArithmetic

    init() throws {
        folder = try TemporaryFolder()
        let checkpoint = try Checkpoint(
            checkpoint: try Fixture.path("tiny/head.pth"), clip: try Fixture.unpacked("tiny/clip.safetensors", in: folder))
        arithmetic = FloatArithmetic(FoldedCheckpoint(checkpoint, try checkpoint.architecture()), threads: 2)
    }

    private struct Plain {
        var labels: [UInt16]
        var categories: [Int] = []
    }

    /// Mask logits enlarged to the padded input, cropped, resized to the picture.
    private func enlarged(_ mask: UnsafePointer<Float>, _ maskSize: Size, _ geometry: PictureGeometry) -> [Float] {
        let padded = arithmetic.matrix(rows: geometry.padded.height, columns: geometry.padded.width)
        resizeBilinearPlane(mask, from: maskSize, to: geometry.padded, into: padded.base)
        let inner = arithmetic.matrix(rows: geometry.inner.height, columns: geometry.inner.width)
        for y in 0..<inner.rows { inner.row(y).update(from: padded.row(y), count: inner.columns) }
        var result = [Float](repeating: 0, count: geometry.picture.area)
        resizeBilinearPlane(inner.base, from: geometry.inner, to: geometry.picture, into: &result)
        return result
    }

    private func plain(_ prediction: Prediction, _ classifier: Classifier, _ geometry: PictureGeometry) -> Plain {
        var best = [Float](repeating: -1, count: geometry.picture.area)
        var winner = [Int](repeating: -1, count: best.count)
        var logits: [[Float]] = []
        var categories: [Int] = []
        for query in 0..<prediction.probabilities.rows {
            let row = prediction.probabilities.row(query)
            let category = (0...classifier.count).reduce(0) { row[$1] > row[$0] ? $1 : $0 }
            guard category < classifier.count else { continue }
            let mask = enlarged(prediction.masks.row(query), prediction.maskSize, geometry)
            for (pixel, logit) in mask.enumerated() where sigmoid(logit) * row[category] > best[pixel] {
                best[pixel] = sigmoid(logit) * row[category]
                winner[pixel] = logits.count
            }
            logits.append(mask)
            categories.append(category)
        }
        var result = Plain(labels: [UInt16](repeating: 0, count: best.count))
        var stuff: [Int: UInt16] = [:]
        for (index, mask) in logits.enumerated() {
            let own = mask.indices.filter { winner[$0] == index }
            let inside = own.filter { mask[$0] >= 0 }
            let area = mask.count { $0 >= 0 }
            guard !own.isEmpty, !inside.isEmpty, area > 0, Double(own.count) / Double(area) >= 0.8 else { continue }
            let category = categories[index]
            let known = classifier.isThing[category] ? nil : stuff[category]
            let id = known ?? UInt16(result.categories.count + 1)
            if known == nil { result.categories.append(category) }
            if !classifier.isThing[category] { stuff[category] = id }
            for pixel in inside { result.labels[pixel] = id }
        }
        return result
    }

    /// Masks of discs of many sizes, thin stripes and noise; a third of the queries are void.
    private func prediction(queries: Int, maskSize: Size, classes: Int, seed: UInt64) -> Prediction {
        var random = SplitMix(seed: seed)
        let masks = arithmetic.matrix(rows: queries, columns: maskSize.area)
        let probabilities = arithmetic.matrix(rows: queries, columns: classes + 1)
        for query in 0..<queries {
            let x0 = Float.random(in: 0..<Float(maskSize.width), using: &random)
            let y0 = Float.random(in: 0..<Float(maskSize.height), using: &random)
            let radius = Float.random(in: 0.3..<Float(maskSize.width) / 2, using: &random)
            let steep = Float.random(in: 0.2..<8, using: &random)
            let kind = query % 5
            for pixel in 0..<maskSize.area {
                let x = Float(pixel % maskSize.width)
                let y = Float(pixel / maskSize.width)
                let distance = ((x - x0) * (x - x0) + (y - y0) * (y - y0)).squareRoot()
                masks[query, pixel] =
                    switch kind {
                    case 3: Float.random(in: -4..<1, using: &random)
                    case 4: steep * (1 - abs(x - x0))
                    default: steep * (radius - distance)
                    }
            }
            for category in 0...classes { probabilities[query, category] = Float.random(in: 0..<1, using: &random) }
            if query % 3 == 0 { probabilities[query, classes] = 2 }
        }
        let none = arithmetic.matrix(rows: queries, columns: classes + 1)
        none.base.update(repeating: 0, count: none.count)
        return Prediction(masks: masks, maskSize: maskSize, probabilities: probabilities, inVocabulary: none, outOfVocabulary: none)
    }

    @Test(arguments: [
        PictureGeometry(picture: Size(height: 128, width: 160), inner: Size(height: 128, width: 160), padded: Size(height: 128, width: 160)),
        PictureGeometry(picture: Size(height: 317, width: 501), inner: Size(height: 101, width: 160), padded: Size(height: 128, width: 160)),
        PictureGeometry(picture: Size(height: 61, width: 47), inner: Size(height: 128, width: 99), padded: Size(height: 128, width: 128)),
        PictureGeometry(picture: Size(height: 1, width: 300), inner: Size(height: 32, width: 160), padded: Size(height: 32, width: 160)),
    ])
    func segmentsEqualThePlainOrder(geometry: PictureGeometry) {
        let classes = 4
        let maskSize = Size(height: geometry.padded.height / 4, width: geometry.padded.width / 4)
        let classifier = Classifier(
            embeddings: NameEmbeddings(rows: classes, columns: 8), names: (0..<classes).map { $0..<$0 + 1 }, isSeen: [true, false, true, true],
            isThing: [true, true, false, false])
        var segments = 0
        for seed in 0..<6 as Range<UInt64> {
            let prediction = prediction(queries: 17, maskSize: maskSize, classes: classes, seed: seed)
            let expected = plain(prediction, classifier, geometry)
            let found = Segmenter(arithmetic).segment(prediction, classifier: classifier, geometry: geometry, task: .panoptic)
            #expect(found.labels == expected.labels)
            #expect(found.segments.map(\.category) == expected.categories)
            for segment in found.segments { #expect(segment.area == expected.labels.count { $0 == UInt16(segment.id) }) }
            segments += found.segments.count
        }
        #expect(segments > 6)
    }
}
