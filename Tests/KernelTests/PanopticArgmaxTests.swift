import Kernels
import Testing

/// The panoptic argmax of every kernel set against the plain order of work: all masks enlarged, all sigmoids, the first of the largest.
@Suite struct PanopticArgmaxTests {
    struct Case: Sendable, CustomStringConvertible {
        let mask, padded, inner, picture: Size
        var description: String { "\(mask.width)x\(mask.height) to \(picture.width)x\(picture.height)" }

        init(mask: (Int, Int), padded: (Int, Int), inner: (Int, Int), picture: (Int, Int)) {
            func size(_ pair: (Int, Int)) -> Size { Size(height: pair.1, width: pair.0) }
            (self.mask, self.padded, self.inner, self.picture) = (size(mask), size(padded), size(inner), size(picture))
        }
    }

    /// Width, then height.
    static let cases = [
        Case(mask: (40, 32), padded: (160, 128), inner: (160, 128), picture: (160, 128)),
        Case(mask: (40, 32), padded: (160, 128), inner: (160, 101), picture: (501, 317)),
        Case(mask: (32, 32), padded: (128, 128), inner: (99, 128), picture: (47, 61)),
        Case(mask: (8, 8), padded: (32, 32), inner: (17, 32), picture: (33, 70)),
        Case(mask: (17, 5), padded: (68, 20), inner: (65, 19), picture: (70, 18)),
        Case(mask: (80, 64), padded: (320, 256), inner: (320, 256), picture: (11, 9)),
        Case(mask: (8, 40), padded: (32, 160), inner: (32, 160), picture: (1, 300)),
        Case(mask: (1, 1), padded: (1, 1), inner: (1, 1), picture: (37, 2)),
        Case(mask: (16, 16), padded: (16, 16), inner: (16, 16), picture: (16, 16)),
        Case(mask: (9, 7), padded: (10, 9), inner: (10, 8), picture: (400, 3)),
    ]

    enum Kind: CaseIterable {
        /// Discs, so that most masks are skipped; the same disc twice, with the same score, so that values are equal.
        case discs
        /// Noise, for which bounds exclude little, and many scores that differ little.
        case noise
        /// Logits beyond what the exponential function holds, zeros of both signs, and scores of 0.
        case extremes
    }

    @Test(arguments: cases, Kind.allCases) func winnersOfThePlainOrder(_ shape: Case, _ kind: Kind) {
        var random = Generator(shape.picture.area)
        let count = 19
        let area = shape.mask.area
        var values: [Float] = []
        var scores: [Float] = []
        for index in 0..<count {
            let x0 = Float.random(in: 0...Float(shape.mask.width), using: &random)
            let y0 = Float.random(in: 0...Float(shape.mask.height), using: &random)
            let radius = Float.random(in: 0...9, using: &random)
            switch kind {
            case .discs where index % 4 == 3:
                values += values.suffix(area)
                scores.append(scores[index - 1])
                continue
            case .discs:
                values += (0..<area).map { pixel in
                    let x = Float(pixel % shape.mask.width) - x0
                    let y = Float(pixel / shape.mask.width) - y0
                    return 3 * (radius - (x * x + y * y).squareRoot())
                }
            case .noise: values += random.floats(area, in: -6...5)
            case .extremes:
                let choices: [Float] = [0, -0.0, Float(bitPattern: 71_362), -Float(bitPattern: 71_362), -1e-31, 88.7, -88.7, -200, 300, 1e30, -1e30, 17, -17]
                values += (0..<area).map { _ in choices.randomElement(using: &random)! }
            }
            scores.append(kind == .noise ? Float.random(in: 0.006...0.007, using: &random) : Float.random(in: 0...1, using: &random))
            if kind == .extremes, index % 5 == 0 { scores[index] = index == 0 ? 0 : 1 }
        }
        let masks = Stored(values)
        defer { withExtendedLifetime(masks) {} }
        let expected = plain(masks.base, scores, shape)
        for table in testedKernelSets {
            // Bands of several sizes, as the last of a picture is.
            for bandRows in [16, 5] {
                let found = compete(table, masks.base, scores, shape, bandRows: bandRows)
                #expect(found.areas == expected.areas, "\(table.name)")
                #expect(found.winners == expected.winners, "\(table.name)")
            }
        }
    }

    private func compete(
        _ table: KernelSet, _ masks: UnsafePointer<Float>, _ scores: [Float], _ shape: Case, bandRows: Int
    ) -> (winners: [UInt16], areas: [UInt64]) {
        func taps(_ count: Int, _ input: Int, _ output: Int) -> Stored<BilinearTap> {
            Stored((0..<count).map { BilinearTap($0, from: input, to: output) })
        }
        let rows = taps(shape.picture.height, shape.inner.height, shape.picture.height)
        let networkRows = taps(shape.inner.height, shape.mask.height, shape.padded.height)
        let columns = taps(shape.picture.width, shape.inner.width, shape.picture.width)
        let networkColumns = taps(shape.inner.width, shape.mask.width, shape.padded.width)
        let candidates = Stored(scores.enumerated().map { PanopticArgmax.Candidate(mask: masks + $0.offset * shape.mask.area, score: $0.element) })
        let scratch = Map(
            rows: 1,
            columns: PanopticArgmax.scratchCount(
                rows: bandRows, inner: shape.inner.height, height: shape.picture.height, candidates: scores.count))
        defer { withExtendedLifetime((rows, networkRows, columns, networkColumns, candidates)) {} }
        var winners = [UInt16](repeating: 0x7FFF, count: shape.picture.area)
        var areas = [UInt64](repeating: 0, count: scores.count)
        for first in stride(from: 0, to: shape.picture.height, by: bandRows) {
            winners.withUnsafeMutableBufferPointer { winners in
                areas.withUnsafeMutableBufferPointer { areas in
                    table.perform(
                        .panopticArgmax(
                            PanopticArgmax(
                                candidates.base, count: scores.count, maskSize: shape.mask, vertical: .init(picture: rows.base, network: networkRows.base),
                                horizontal: .init(picture: columns.base, network: networkColumns.base),
                                rows: first..<min(first + bandRows, shape.picture.height),
                                width: shape.picture.width, scratch: scratch.matrix.base, winners: winners.baseAddress!, areas: areas.baseAddress!)))
                }
            }
        }
        #expect(scratch.isIntact)
        return (winners, areas)
    }

    private func plain(_ masks: UnsafePointer<Float>, _ scores: [Float], _ shape: Case) -> (winners: [UInt16], areas: [UInt64]) {
        var best = [Float](repeating: -1, count: shape.picture.area)
        var winners = [UInt16](repeating: 0, count: shape.picture.area)
        let areas = scores.indices.map { index in
            var padded = [Float](repeating: 0, count: shape.padded.area)
            var logits = best
            resizeBilinearPlane(masks + index * shape.mask.area, from: shape.mask, to: shape.padded, into: &padded)
            let inner = (0..<shape.inner.height).flatMap { padded[$0 * shape.padded.width..<$0 * shape.padded.width + shape.inner.width] }
            resizeBilinearPlane(inner, from: shape.inner, to: shape.picture, into: &logits)
            for (pixel, logit) in logits.enumerated() where sigmoid(logit) * scores[index] > best[pixel] {
                best[pixel] = sigmoid(logit) * scores[index]
                winners[pixel] = UInt16(index) | (logit >= 0 ? PanopticArgmax.insideBit : 0)
            }
            return UInt64(logits.count { $0 >= 0 })
        }
        return (winners, areas)
    }
}
