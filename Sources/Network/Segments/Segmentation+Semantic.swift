import Kernels

extension Segmenter {
    /// Assigns to every pixel the class with the largest sum over queries of class probability x mask probability.
    func semantic(_ prediction: Prediction, classifier: Classifier, geometry: PictureGeometry, into result: inout Segmentation) {
        let size = geometry.picture
        let classes = classifier.count
        let scoresFirst = semanticOrder == .scoresFirst
        let upsampler = upsampler(prediction, geometry: geometry, output: scoresFirst ? geometry.inner : geometry.picture)
        let probabilities = arithmetic.matrix(rows: classes, columns: prediction.masks.rows)
        arithmetic.compute {
            for category in 0..<classes {
                for query in 0..<probabilities.columns { probabilities[category, query] = prediction.probabilities[query, category] }
            }
        }
        let vertical = arithmetic.taps(size.height, from: upsampler.output.height, to: size.height)
        let horizontal = arithmetic.taps(size.width, from: upsampler.output.width, to: size.width)
        // A band's scores and masks take about 16 MB, or one row of the network's output.
        let rowCount = upsampler.output.width * (classes + probabilities.columns)
        let networkRows = max(1, (4 << 20) / rowCount)
        let bandRows = arithmetic.isTracing ? size.height : max(1, networkRows * size.height / upsampler.output.height)
        let confidence = arithmetic.list(repeating: 0.0, count: classes)
        var row = 0
        while row < size.height {
            let rows = row..<min(row + bandRows, size.height)
            row = rows.upperBound
            let mark = arithmetic.mark()
            defer { arithmetic.release(mark) }
            let first = BilinearTap(rows.lowerBound, from: upsampler.output.height, to: size.height)
            let last = BilinearTap(rows.upperBound - 1, from: upsampler.output.height, to: size.height)
            let needed = first.lower..<last.upper + 1
            let coarse = scores(needed, prediction, of: probabilities, upsampler: upsampler)
            let blended = arithmetic.matrix(rows: arithmetic.isTracing ? rows.count * size.width : rows.count, columns: classes)
            let fractions = arithmetic.matrix(rows: rows.count, columns: classes)
            arithmetic.compute {
                fractions.base.update(repeating: 0, count: fractions.count)
                result.labels.withUnsafeMutableBufferPointer { buffer in
                    nonisolated(unsafe) let labels = buffer.baseAddress!
                    arithmetic.parallel(rows.count) { lines in
                        for line in lines {
                            let y = rows.lowerBound + line
                            for x in 0..<size.width {
                                let scores = blended.row(arithmetic.isTracing ? line * size.width + x : line)
                                blend(coarse, width: upsampler.output.width, firstRow: needed.lowerBound, vertical[y], horizontal[x], into: scores)
                                var best = 0
                                var total: Float = 0
                                for category in 0..<classes {
                                    total += scores[category]
                                    if scores[category] > scores[best] { best = category }
                                }
                                labels[y * size.width + x] = UInt16(best + 1)
                                fractions[line, best] += scores[best] / max(total, 1e-12)
                            }
                        }
                    }
                }
                for line in 0..<rows.count {
                    for category in 0..<classes { confidence[category] += Double(fractions[line, category]) }
                }
            }
            if arithmetic.isTracing { arithmetic.record("sem_seg", blended) }
        }
        var extents = extentList(size, capacity: classes)
        let ids = arithmetic.list(repeating: UInt16(0), count: classes + 1)
        arithmetic.compute {
            findExtents(result, count: classes, into: &extents)
            number(&result, confidence: confidence, extents: extents, ids: ids, prediction, classifier: classifier)
        }
    }

    /// Class scores of rows `range` at the upsampler's output size: one row for each pixel, one column for each class.
    private func scores(_ range: Range<Int>, _ prediction: Prediction, of probabilities: Matrix, upsampler: MaskUpsampler) -> Matrix {
        let width = upsampler.output.width
        let queries = prediction.masks.rows
        let scores = arithmetic.matrix(rows: range.count * width, columns: probabilities.rows)
        let masks = arithmetic.matrix(rows: range.count * width, columns: queries)
        let scratch = arithmetic.matrix(rows: queries, columns: upsampler.scratchCount)
        arithmetic.parallel(queries) { chunk in
            for query in chunk {
                upsampler.rows(range, of: prediction.masks.row(query), scratch: scratch.row(query)) { row, logits in
                    let first = (row - range.lowerBound) * width
                    for x in 0..<width { masks[first + x, query] = sigmoid(logits[x]) }
                }
            }
        }
        arithmetic.similarity(masks, probabilities, into: scores)
        return scores
    }

    private func blend(
        _ scores: Matrix, width: Int, firstRow: Int, _ vertical: BilinearTap, _ horizontal: BilinearTap, into result: UnsafeMutablePointer<Float>
    ) {
        let top = (vertical.lower - firstRow) * width
        let bottom = (vertical.upper - firstRow) * width
        let left = horizontal.lower
        let right = horizontal.upper
        let down = vertical.fraction
        let across = horizontal.fraction
        let a = scores.row(top + left)
        let b = scores.row(top + right)
        let c = scores.row(bottom + left)
        let d = scores.row(bottom + right)
        for category in 0..<scores.columns {
            result[category] =
                (a[category] * (1 - across) + b[category] * across) * (1 - down)
                + (c[category] * (1 - across) + d[category] * across) * down
        }
    }

    /// Turns class numbers (1...) in the label map into segments numbered without gaps, in the order of the classes.
    private func number(
        _ result: inout Segmentation, confidence: ScratchList<Double>, extents: ScratchList<Extent>, ids: ScratchList<UInt16>, _ prediction: Prediction,
        classifier: Classifier
    ) {
        for category in 0..<classifier.count where extents[category].area > 0 {
            ids[category + 1] = UInt16(result.segments.count + 1)
            var query = 0
            for other in 0..<prediction.probabilities.rows
            where prediction.probabilities[other, category] > prediction.probabilities[query, category] { query = other }
            result.segments.append(
                Segment(
                    id: result.segments.count + 1, category: category,
                    synonym: synonym(query: query, category: category, prediction: prediction, classifier: classifier),
                    isThing: classifier.isThing[category], score: Float(confidence[category] / Double(extents[category].area)),
                    area: extents[category].area, box: extents[category].box))
        }
        for pixel in result.labels.indices { result.labels[pixel] = ids[Int(result.labels[pixel])] }
    }
}
