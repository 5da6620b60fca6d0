import Kernels

extension Segmenter {
    /// Marks, in the map of winning queries, pixels where the winner's own mask is not negative.
    private static var insideBit: UInt16 { 0x8000 }

    /// Gives the pixels of one row where score x sigmoid(logit) beats `best` to `code`, with `insideBit` where the logit is
    /// not negative. - Returns: how many logits are not negative.
    private func challenge(
        _ logits: UnsafePointer<Float>, count: Int, score: Float, code: Float, best: UnsafeMutablePointer<Float>, winners: UnsafeMutablePointer<Float>
    ) -> Int {
        var inside = Lanes(repeating: 0)
        for start in stride(from: 0, to: count, by: 16) {
            let width = min(16, count - start)
            // Lanes beyond the row lose, and count for nothing.
            let logit = width == 16 ? load(logits + start) : load(logits + start, count: width, fill: -.infinity)
            let old = width == 16 ? load(best + start) : load(best + start, count: width, fill: .infinity)
            let owner = width == 16 ? load(winners + start) : load(winners + start, count: width)
            let value = sigmoid(logit) * score
            let isInside = logit .>= 0, wins = value .> old
            inside += Lanes(repeating: 0).replacing(with: 1, where: isInside)
            let codes = Lanes(repeating: code).replacing(with: code + Float(Self.insideBit), where: isInside)
            let newBest = old.replacing(with: value, where: wins), newOwner = owner.replacing(with: codes, where: wins)
            if width == 16 {
                store(newBest, best + start)
                store(newOwner, winners + start)
            } else {
                store(newBest, best + start, count: width)
                store(newOwner, winners + start, count: width)
            }
        }
        return Int(sum(inside))
    }

    /// Every pixel goes to the query with the largest score x mask probability; a query keeps what it won inside its own mask
    /// if that is enough of the mask.
    func panoptic(_ prediction: Prediction, classifier: Classifier, geometry: PictureGeometry, into result: inout Segmentation) {
        let kept = candidates(prediction, classifier: classifier)
        guard kept.count > 0 else { return }
        let maskAreas = compete(kept, prediction, geometry: geometry, labels: &result.labels)

        let won = arithmetic.list(repeating: 0, count: kept.count), inside = arithmetic.list(repeating: 0, count: kept.count)
        for label in result.labels {
            let index = Int(label & ~Self.insideBit)
            won[index] += 1
            if label & Self.insideBit != 0 { inside[index] += 1 }
        }
        let ids = arithmetic.list(repeating: UInt16(0), count: kept.count)
        var owners = arithmetic.list(of: Int.self, capacity: kept.count)
        let stuff = arithmetic.list(repeating: UInt16(0), count: classifier.count)
        for index in 0..<kept.count {
            let candidate = kept[index]
            guard won[index] > 0, maskAreas[index] > 0, inside[index] > 0,
                  Double(won[index]) / Double(maskAreas[index]) >= overlapThreshold else { continue }
            if !classifier.isThing[candidate.category], stuff[candidate.category] > 0 {
                ids[index] = stuff[candidate.category]
                continue
            }
            owners.append(index)
            ids[index] = UInt16(owners.count)
            if !classifier.isThing[candidate.category] { stuff[candidate.category] = ids[index] }
        }
        for pixel in result.labels.indices {
            let label = result.labels[pixel]
            result.labels[pixel] = label & Self.insideBit == 0 ? 0 : ids[Int(label & ~Self.insideBit)]
        }
        let extents = extents(result, count: owners.count)
        for index in 0..<owners.count {
            let candidate = kept[owners[index]]
            result.segments.append(Segment(
                id: index + 1, category: candidate.category,
                synonym: synonym(query: candidate.query, category: candidate.category, prediction: prediction, classifier: classifier),
                isThing: classifier.isThing[candidate.category], score: candidate.score, area: extents[index].area, box: extents[index].box))
        }
    }

    private struct Candidate {
        let query: Int
        let category: Int
        let score: Float
    }

    /// Queries whose most probable class is not void.
    private func candidates(_ prediction: Prediction, classifier: Classifier) -> ScratchList<Candidate> {
        var kept = arithmetic.list(of: Candidate.self, capacity: prediction.probabilities.rows)
        for query in 0..<prediction.probabilities.rows {
            let row = prediction.probabilities.row(query)
            var best = 0
            for category in 1...classifier.count where row[category] > row[best] { best = category }
            if best < classifier.count, row[best] > scoreThreshold { kept.append(Candidate(query: query, category: best, score: row[best])) }
        }
        return kept
    }

    /// Fills `labels` with the winner of each pixel (index into `kept`, and whether its mask covers the pixel).
    /// - Returns: pixels of each candidate's mask (mask probability at least one half).
    private func compete(
        _ kept: ScratchList<Candidate>, _ prediction: Prediction, geometry: PictureGeometry, labels: inout [UInt16]
    ) -> ScratchList<Int> {
        let enlarger = enlarger(prediction, geometry: geometry)
        let size = geometry.picture, bandRows = Self.bandRows
        let bands = (size.height + bandRows - 1) / bandRows
        let scratch = arithmetic.matrix(rows: bands, columns: enlarger.scratchCount)
        let best = arithmetic.matrix(rows: size.height, columns: size.width)
        // Floats hold the codes of winners exactly, and share lanes with the scores they are chosen by.
        let winners = arithmetic.matrix(rows: size.height, columns: size.width)
        let areas = arithmetic.words(bands * kept.count)
        labels.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let labels = buffer.baseAddress!
            arithmetic.parallel(bands) { range in
                for band in range {
                    let rows = band * bandRows..<min((band + 1) * bandRows, size.height)
                    let bandBest = best.rows(rows)
                    bandBest.base.update(repeating: -1, count: bandBest.count)
                    winners.rows(rows).base.update(repeating: 0, count: bandBest.count)
                    for index in 0..<kept.count {
                        let candidate = kept[index]
                        enlarger.rows(rows, of: prediction.masks.row(candidate.query), scratch: scratch.row(band)) { row, logits in
                            areas[band * kept.count + index] += UInt64(challenge(
                                logits, count: size.width, score: candidate.score, code: Float(index), best: best.row(row), winners: winners.row(row)))
                        }
                    }
                    for pixel in rows.lowerBound * size.width..<rows.upperBound * size.width { labels[pixel] = UInt16(winners.base[pixel]) }
                }
            }
        }
        let totals = arithmetic.list(repeating: 0, count: kept.count)
        for band in 0..<bands {
            for index in 0..<kept.count { totals[index] += Int(areas[band * kept.count + index]) }
        }
        return totals
    }
}
