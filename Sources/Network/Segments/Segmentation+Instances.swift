import Kernels

extension Segmenter {
    /// The most probable (query, class) pairs without stuff, each with the pixels where its mask is positive.
    func instances(_ prediction: Prediction, classifier: Classifier, geometry: PictureGeometry, into result: inout Segmentation) {
        // All memory is taken for as many instances as may be found, whatever the picture shows.
        let queries = prediction.masks.rows
        var pairs = arithmetic.list(of: SegmentCandidate.self, capacity: instanceCount)
        let upsampler = upsampler(prediction, geometry: geometry)
        let row = arithmetic.matrix(rows: 1, columns: upsampler.scratchCount)
        let masks = arithmetic.list(repeating: Mask?.none, count: queries)
        var found = arithmetic.list(of: Instance.self, capacity: instanceCount)
        let wordsPerMask = (geometry.picture.area + 63) / 64
        var unused = arithmetic.scratch(UInt64.self, count: min(queries, instanceCount) * wordsPerMask)
        arithmetic.compute {
            findPairs(prediction, classes: classifier.count, into: &pairs)
            for index in 0..<pairs.count where classifier.isThing[pairs[index].category] {
                let pair = pairs[index]
                if masks[pair.query] == nil {
                    masks[pair.query] = mask(prediction.masks.row(pair.query), upsampler, row: row, words: unused)
                    unused += wordsPerMask
                }
                guard let mask = masks[pair.query], mask.extent.area > 0 else { continue }
                let instance = Instance(pair: pair, mask: mask, score: pair.score * mask.confidence)
                // Behind those of the same score, so that they keep the order of their queries.
                var position = found.count
                while position > 0, found[position - 1].score < instance.score { position -= 1 }
                found.insert(instance, at: position)
            }
            report(found, prediction, classifier: classifier, into: &result)
        }
    }

    /// Appends `found` to the result's segments and masks; label maps show the best-scored of overlapping segments.
    private func report(_ found: ScratchList<Instance>, _ prediction: Prediction, classifier: Classifier, into result: inout Segmentation) {
        for index in 0..<found.count {
            let pair = found[index].pair
            let mask = found[index].mask
            result.segments.append(
                Segment(
                    id: index + 1, category: pair.category,
                    synonym: synonym(query: pair.query, category: pair.category, prediction: prediction, classifier: classifier),
                    isThing: true, score: found[index].score, area: mask.extent.area, box: mask.extent.box))
            result.appendMask(mask.words)
        }
        for index in stride(from: found.count - 1, through: 0, by: -1) {
            for word in 0..<(result.size.area + 63) / 64 {
                var rest = found[index].mask.words[word]
                while rest != 0 {
                    result.labels[word * 64 + rest.trailingZeroBitCount] = UInt16(index + 1)
                    rest &= rest - 1
                }
            }
        }
    }

    /// Positive pixels of a query's mask, and the mean mask probability over them.
    private struct Mask {
        let words: UnsafeMutablePointer<UInt64>
        var extent = Extent()
        var confidence: Float = 0
    }

    private struct Instance {
        let pair: SegmentCandidate
        let mask: Mask
        let score: Float
    }

    /// Finds the `instanceCount` largest class probabilities over all queries, without void, largest first.
    private func findPairs(_ prediction: Prediction, classes: Int, into best: inout ScratchList<SegmentCandidate>) {
        for query in 0..<prediction.probabilities.rows {
            for category in 0..<classes {
                let score = prediction.probabilities[query, category]
                if best.count == instanceCount, score <= best[best.count - 1].score { continue }
                var low = 0
                var high = best.count
                while low < high {
                    let middle = (low + high) / 2
                    if best[middle].score >= score { low = middle + 1 } else { high = middle }
                }
                best.insert(SegmentCandidate(query: query, category: category, score: score), at: low)
            }
        }
    }

    /// - Parameter words: becomes the mask's bits.
    private func mask(_ logits: UnsafePointer<Float>, _ upsampler: MaskUpsampler, row: Matrix, words: UnsafeMutablePointer<UInt64>) -> Mask {
        let size = upsampler.output
        words.update(repeating: 0, count: (size.area + 63) / 64)
        var mask = Mask(words: words)
        var sum = 0.0
        upsampler.rows(0..<size.height, of: logits, scratch: row.base) { y, row in
            for x in 0..<size.width where row[x] > 0 {
                let pixel = y * size.width + x
                mask.words[pixel >> 6] |= 1 << UInt64(pixel & 63)
                mask.extent.add(x..<x + 1, y: y)
                sum += Double(sigmoid(row[x]))
            }
        }
        mask.confidence = Float(sum / (Double(mask.extent.area) + 1e-6))
        return mask
    }
}
