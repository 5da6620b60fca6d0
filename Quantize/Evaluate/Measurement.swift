import Network

/// A network's result for one picture: a segmentation for each measure.
public struct TaskPredictions {
    public var panoptic: Segmentation?
    public var semantic: Segmentation?
    public var instances: Segmentation?

    /// Calls `segment` for the tasks that `measures` need.
    public init(_ measures: Set<Measure>, segment: (Task) -> Segmentation) {
        if measures.contains(.panopticQuality) { panoptic = segment(.panoptic) }
        if measures.contains(.intersectionOverUnion) { semantic = segment(.semantic) }
        if measures.contains(.averagePrecision) { instances = segment(.instance) }
    }
}

/// The measures of one network over the pictures added so far.
public struct Measurement {
    public private(set) var panoptic: PanopticQuality
    public private(set) var semantic: MeanIntersectionOverUnion
    public private(set) var instances: AveragePrecision

    public init(classes: Int) {
        panoptic = PanopticQuality(classes: classes)
        semantic = MeanIntersectionOverUnion(classes: classes)
        instances = AveragePrecision(classes: classes)
    }

    /// Counts one picture. - Parameter classes: class of every class of the vocabulary, nil for those that the data set lacks.
    /// - Returns: the picture's quality, 0...1: the pooled panoptic quality, or the fraction of right pixels where there are no segments to
    ///   compare; nil where neither is defined.
    @discardableResult
    public mutating func add(_ prediction: TaskPredictions, truth: GroundTruth, classes: [Int?]) -> Double? {
        var quality: Double?
        if let truth = truth.semantic, let segmentation = prediction.semantic {
            var picture = MeanIntersectionOverUnion(classes: semantic.counts.count)
            picture.add(truth: truth, prediction: Self.labels(segmentation, classes: classes))
            semantic.add(picture)
            quality = picture.accuracy
        }
        if let truth = truth.panoptic, let segmentation = prediction.panoptic {
            var picture = PanopticQuality(classes: panoptic.counts.count)
            picture.add(truth: truth, prediction: PanopticMap(segmentation, classes: classes))
            panoptic.add(picture)
            quality = picture.pooled?.quality ?? quality
        }
        if let truth = truth.instances, let segmentation = prediction.instances {
            let predictions = segmentation.segments.indices.compactMap { index -> AveragePrecision.Prediction? in
                let segment = segmentation.segments[index]
                guard let category = classes[segment.category] else { return nil }
                return AveragePrecision.Prediction(
                    category: category, score: Double(segment.score), mask: BitMask(size: segmentation.size, words: segmentation.masks[index]))
            }
            instances.add(truths: truth, predictions: predictions)
        }
        return quality
    }

    /// Class of every pixel, negative where the data set has none.
    private static func labels(_ segmentation: Segmentation, classes: [Int?]) -> [Int32] {
        var table = [Int32](repeating: -1, count: segmentation.segments.count + 1)
        for segment in segmentation.segments { table[segment.id] = Int32(classes[segment.category] ?? -1) }
        return segmentation.labels.map { table[Int($0)] }
    }
}
