import Kernels

extension Segmenter {
    private static var insideBit: UInt16 { PanopticArgmax.insideBit }

    /// Assigns every pixel to the query with the largest score x mask probability. A query keeps the pixels that it won
    /// inside its own mask, if they are a large enough fraction of the mask.
    func panoptic(_ prediction: Prediction, classifier: Classifier, geometry: PictureGeometry, into result: inout Segmentation) {
        // All memory is taken for as many candidates as there are queries, whatever the picture shows.
        let queries = prediction.probabilities.rows
        var kept = arithmetic.list(of: SegmentCandidate.self, capacity: queries)
        var workspace = PanopticWorkspace(self, prediction, geometry: geometry, classes: classifier.count)
        arithmetic.compute {
            findCandidates(prediction, classifier: classifier, into: &kept)
            guard kept.count > 0 else { return }
            assignPixels(kept, prediction, size: geometry.picture, &workspace, labels: &result.labels)
            nameSegments(kept, prediction, classifier: classifier, &workspace, into: &result)
        }
    }

    /// Scratch memory of one panoptic result.
    private struct PanopticWorkspace {
        let upsampler: MaskUpsampler
        /// A row for each band: scratch memory of the kernel.
        let argmax: Matrix
        let areas: UnsafeMutablePointer<UInt64>
        /// For each band, each candidate.
        var counts: ScratchList<PixelCounts>
        var candidates: ScratchList<PanopticArgmax.Candidate>
        /// Segment of each candidate.
        var ids: ScratchList<UInt16>
        /// SegmentCandidate of each segment.
        var owners: ScratchList<Int>
        /// Segment of each class that is stuff; 0 where it has none.
        var stuff: ScratchList<UInt16>
        var extents: ScratchList<Extent>

        init(_ segmenter: Segmenter, _ prediction: Prediction, geometry: PictureGeometry, classes: Int) {
            let arithmetic = segmenter.arithmetic
            let size = geometry.picture
            let queries = prediction.probabilities.rows
            let bands = Segmenter.bandCount(size)
            upsampler = segmenter.upsampler(prediction, geometry: geometry)
            argmax = arithmetic.matrix(
                rows: bands,
                columns: PanopticArgmax.scratchCount(rows: Segmenter.bandRows, inner: geometry.inner.height, height: size.height, candidates: queries))
            areas = arithmetic.scratch(UInt64.self, count: bands * queries)
            counts = arithmetic.list(of: PixelCounts.self, capacity: bands * queries)
            candidates = arithmetic.list(of: PanopticArgmax.Candidate.self, capacity: queries)
            ids = arithmetic.list(of: UInt16.self, capacity: queries)
            owners = arithmetic.list(of: Int.self, capacity: queries)
            stuff = arithmetic.list(of: UInt16.self, capacity: classes)
            extents = segmenter.extentList(size, capacity: queries)
        }
    }

    /// Turns candidates' numbers in the label map into segments, numbered in the order of their queries.
    private func nameSegments(
        _ kept: ScratchList<SegmentCandidate>, _ prediction: Prediction, classifier: Classifier, _ workspace: inout PanopticWorkspace,
        into result: inout Segmentation
    ) {
        workspace.ids.fill(0, count: kept.count)
        workspace.stuff.fill(0, count: classifier.count)
        nonisolated(unsafe) let ids = workspace.ids
        let stuff = workspace.stuff
        for index in 0..<kept.count {
            let candidate = kept[index]
            let pixels = workspace.counts[index]
            guard pixels.won > 0, pixels.mask > 0, pixels.inside > 0, Double(pixels.won) / Double(pixels.mask) >= overlapThreshold else { continue }
            if !classifier.isThing[candidate.category], stuff[candidate.category] > 0 {
                ids[index] = stuff[candidate.category]
                continue
            }
            workspace.owners.append(index)
            ids[index] = UInt16(workspace.owners.count)
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
        let owners = workspace.owners
        findExtents(result, count: owners.count, into: &workspace.extents)
        for index in 0..<owners.count {
            let candidate = kept[owners[index]]
            let extent = workspace.extents[index]
            result.segments.append(
                Segment(
                    id: index + 1, category: candidate.category,
                    synonym: synonym(query: candidate.query, category: candidate.category, prediction: prediction, classifier: classifier),
                    isThing: classifier.isThing[candidate.category], score: candidate.score, area: extent.area, box: extent.box))
        }
    }

    /// Queries whose most probable class is not void.
    private func findCandidates(_ prediction: Prediction, classifier: Classifier, into kept: inout ScratchList<SegmentCandidate>) {
        for query in 0..<prediction.probabilities.rows {
            let row = prediction.probabilities.row(query)
            var best = 0
            for category in 1...classifier.count where row[category] > row[best] { best = category }
            if best < classifier.count, row[best] > scoreThreshold { kept.append(SegmentCandidate(query: query, category: best, score: row[best])) }
        }
    }

    /// Pixels of a candidate: of its mask (mask probability at least one half), won, and both.
    private struct PixelCounts {
        var mask = 0, won = 0, inside = 0
    }

    /// Fills `labels` with the winner of each pixel (index into `kept`, and whether its mask covers the pixel) and
    /// counts pixels: the first `kept.count` of `workspace.counts`.
    private func assignPixels(
        _ kept: ScratchList<SegmentCandidate>, _ prediction: Prediction, size: Size, _ workspace: inout PanopticWorkspace, labels: inout [UInt16]
    ) {
        let bands = Self.bandCount(size)
        let count = kept.count
        for index in 0..<count {
            workspace.candidates.append(PanopticArgmax.Candidate(mask: prediction.masks.row(kept[index].query), score: kept[index].score))
        }
        workspace.counts.fill(PixelCounts(), count: bands * count)
        workspace.areas.update(repeating: 0, count: bands * count)
        let candidates = workspace.candidates.base
        let upsampler = workspace.upsampler
        let scratch = workspace.argmax
        nonisolated(unsafe) let areas = workspace.areas
        nonisolated(unsafe) let counts = workspace.counts.base
        labels.withUnsafeMutableBufferPointer { buffer in
            nonisolated(unsafe) let labels = buffer.baseAddress!
            self.bands(of: size) { band, rows in
                arithmetic.perform(
                    .panopticArgmax(
                        PanopticArgmax(
                            candidates, count: count, maskSize: prediction.maskSize, vertical: upsampler.vertical, horizontal: upsampler.horizontal,
                            rows: rows, width: size.width, scratch: scratch.row(band), winners: labels, areas: areas + band * count)))
                let counted = counts + band * count
                for index in 0..<count { counted[index].mask = Int(areas[band * count + index]) }
                for y in rows {
                    runs(y, of: labels, width: size.width) { label, columns in
                        let index = Int(label & ~Self.insideBit)
                        counted[index].won += columns.count
                        if label & Self.insideBit != 0 { counted[index].inside += columns.count }
                    }
                }
            }
        }
        for band in 1..<bands {
            for index in 0..<count {
                let pixels = counts[band * count + index]
                counts[index].mask += pixels.mask
                counts[index].won += pixels.won
                counts[index].inside += pixels.inside
            }
        }
    }
}
