import Kernels

extension Segmenter {
    /// The most probable (query, class) pairs, stuff left out, each with the pixels where its mask is positive.
    func instances(_ prediction: Prediction, classifier: Classifier, geometry: PictureGeometry) -> Segmentation {
        var result = Segmentation(task: .instance, size: geometry.picture)
        let pairs = mostProbable(prediction, classes: classifier.count).filter { classifier.isThing[$0.category] }
        let enlarger = enlarger(prediction, geometry: geometry)
        let scratch = arithmetic.matrix(rows: 1, columns: enlarger.scratchCount)
        var found: [(segment: Segment, mask: [UInt64])] = []
        var masks: [Int: (bits: [UInt64], extent: Extent, confidence: Float)] = [:]
        for pair in pairs {
            let mask = masks[pair.query] ?? mask(prediction.masks.row(pair.query), enlarger, scratch: scratch)
            masks[pair.query] = mask
            guard mask.extent.area > 0 else { continue }
            found.append((Segment(
                id: 0, category: pair.category,
                synonym: synonym(query: pair.query, category: pair.category, prediction: prediction, classifier: classifier),
                isThing: true, score: pair.score * mask.confidence, area: mask.extent.area, box: mask.extent.box), mask.bits))
        }
        // Stable, so that equal scores keep the order of their queries.
        let order = found.indices.sorted { found[$0].segment.score != found[$1].segment.score ? found[$0].segment.score > found[$1].segment.score : $0 < $1 }
        for (index, position) in order.enumerated() {
            let segment = found[position].segment
            result.segments.append(Segment(
                id: index + 1, category: segment.category, synonym: segment.synonym, isThing: true, score: segment.score,
                area: segment.area, box: segment.box))
            result.masks.append(found[position].mask)
        }
        for index in result.segments.indices.reversed() {
            for (word, bits) in result.masks[index].enumerated() {
                var rest = bits
                while rest != 0 {
                    result.labels[word * 64 + rest.trailingZeroBitCount] = UInt16(index + 1)
                    rest &= rest - 1
                }
            }
        }
        return result
    }

    private struct Pair {
        let query: Int
        let category: Int
        let score: Float
    }

    /// The `instanceCount` largest class probabilities over all queries, void aside, largest first.
    private func mostProbable(_ prediction: Prediction, classes: Int) -> [Pair] {
        var best: [Pair] = []
        for query in 0..<prediction.probabilities.rows {
            for category in 0..<classes {
                let score = prediction.probabilities[query, category]
                if best.count == instanceCount, score <= best[best.count - 1].score { continue }
                var low = 0, high = best.count
                while low < high {
                    let middle = (low + high) / 2
                    if best[middle].score >= score { low = middle + 1 } else { high = middle }
                }
                if best.count == instanceCount { best.removeLast() }
                best.insert(Pair(query: query, category: category, score: score), at: low)
            }
        }
        return best
    }

    /// Positive pixels of a mask, and the mean mask probability over them.
    private func mask(_ logits: UnsafePointer<Float>, _ enlarger: MaskEnlarger, scratch: Matrix) -> (bits: [UInt64], extent: Extent, confidence: Float) {
        let size = enlarger.output
        var bits = [UInt64](repeating: 0, count: (size.area + 63) / 64)
        var extent = Extent()
        var sum = 0.0
        enlarger.rows(0..<size.height, of: logits, scratch: scratch.base) { y, row in
            for x in 0..<size.width where row[x] > 0 {
                let pixel = y * size.width + x
                bits[pixel >> 6] |= 1 << UInt64(pixel & 63)
                extent.add(x: x, y: y)
                sum += Double(sigmoid(row[x]))
            }
        }
        return (bits, extent, Float(sum / (Double(extent.area) + 1e-6)))
    }
}
