import Kernels

extension Segmenter {
    private static var insideBit: UInt16 { PanopticArgmax.insideBit }

    /// Every pixel goes to the query with the largest score x mask probability; a query keeps what it won inside its own mask
    /// if that is enough of the mask.
    func panoptic(_ prediction: Prediction, classifier: Classifier, geometry: PictureGeometry, into result: inout Segmentation) {
        let kept = candidates(prediction, classifier: classifier)
        guard kept.count > 0 else { return }
        let counts = compete(kept, prediction, geometry: geometry, labels: &result.labels)

        nonisolated(unsafe) let ids = arithmetic.list(repeating: UInt16(0), count: kept.count)
        var owners = arithmetic.list(of: Int.self, capacity: kept.count)
        let stuff = arithmetic.list(repeating: UInt16(0), count: classifier.count)
        for index in 0..<kept.count {
            let candidate = kept[index]
            let pixels = counts[index]
            guard pixels.won > 0, pixels.mask > 0, pixels.inside > 0, Double(pixels.won) / Double(pixels.mask) >= overlapThreshold else { continue }
            if !classifier.isThing[candidate.category], stuff[candidate.category] > 0 {
                ids[index] = stuff[candidate.category]
                continue
            }
            owners.append(index)
            ids[index] = UInt16(owners.count)
            if !classifier.isThing[candidate.category] { stuff[candidate.category] = ids[index] }
        }
        let size = result.size
        result.labels.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let labels = buffer.baseAddress!
            bands(of: size) { _, rows in
                for pixel in rows.lowerBound * size.width..<rows.upperBound * size.width {
                    let label = labels[pixel]
                    labels[pixel] = label & Self.insideBit == 0 ? 0 : ids[Int(label & ~Self.insideBit)]
                }
            }
        }
        let extents = extents(result, count: owners.count)
        for index in 0..<owners.count {
            let candidate = kept[owners[index]]
            result.segments.append(
                Segment(
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

    /// Pixels of a candidate: of its mask (mask probability at least one half), won, and both.
    private struct PixelCounts {
        var mask = 0, won = 0, inside = 0
    }

    /// Fills `labels` with the winner of each pixel (index into `kept`, and whether its mask covers the pixel).
    private func compete(
        _ kept: ScratchList<Candidate>, _ prediction: Prediction, geometry: PictureGeometry, labels: inout [UInt16]
    ) -> ScratchList<PixelCounts> {
        let upsampler = upsampler(prediction, geometry: geometry)
        let size = geometry.picture
        let bands = Self.bandCount(size)
        let count = kept.count
        let scratch = arithmetic.matrix(
            rows: bands,
            columns: PanopticArgmax.scratchCount(
                rows: Self.bandRows, inner: geometry.inner.height, height: size.height, candidates: count))
        let areas = arithmetic.words(bands * count)
        nonisolated(unsafe) let counts = arithmetic.list(repeating: PixelCounts(), count: bands * count)
        var competitors = arithmetic.list(of: PanopticArgmax.Candidate.self, capacity: count)
        for index in 0..<count {
            competitors.append(PanopticArgmax.Candidate(mask: prediction.masks.row(kept[index].query), score: kept[index].score))
        }
        let candidates = competitors.base
        labels.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let labels = buffer.baseAddress!
            self.bands(of: size) { band, rows in
                arithmetic.perform(
                    .panopticArgmax(
                        PanopticArgmax(
                            candidates, count: count, maskSize: prediction.maskSize, vertical: upsampler.vertical, horizontal: upsampler.horizontal,
                            rows: rows, width: size.width, scratch: scratch.row(band), winners: labels, areas: areas + band * count)))
                let own = counts.base + band * count
                for index in 0..<count { own[index].mask = Int(areas[band * count + index]) }
                for y in rows {
                    runs(y, of: labels, width: size.width) { label, columns in
                        let index = Int(label & ~Self.insideBit)
                        own[index].won += columns.count
                        if label & Self.insideBit != 0 { own[index].inside += columns.count }
                    }
                }
            }
        }
        for band in 1..<bands {
            for index in 0..<count {
                let pixels = counts[band * count + index]
                counts.base[index].mask += pixels.mask
                counts.base[index].won += pixels.won
                counts.base[index].inside += pixels.inside
            }
        }
        return counts
    }
}
