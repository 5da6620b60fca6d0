import Kernels

/// Panoptic quality (Kirillov et al., "Panoptic Segmentation", CVPR 2019, equation 1), counted as COCO's panopticapi counts it.
public struct PanopticQuality {
    /// Sums of one class over pictures.
    public struct Count: Equatable {
        /// Segments found, found where there are none, and missed.
        public var truePositives = 0, falsePositives = 0, falseNegatives = 0
        /// Sum of the intersections over unions of the segments found.
        public var overlap = 0.0

        public static func + (one: Count, other: Count) -> Count {
            var sum = one
            sum.truePositives += other.truePositives
            sum.falsePositives += other.falsePositives
            sum.falseNegatives += other.falseNegatives
            sum.overlap += other.overlap
            return sum
        }

        /// Nil where neither the truth nor a prediction has a segment.
        public var score: Score? {
            let size = Double(truePositives) + Double(falsePositives + falseNegatives) / 2
            guard size > 0 else { return nil }
            return Score(
                quality: overlap / size, segmentation: truePositives > 0 ? overlap / Double(truePositives) : 0,
                recognition: Double(truePositives) / size)
        }
    }

    /// 0...1 each.
    public struct Score: Equatable {
        /// PQ, SQ and RQ.
        public let quality, segmentation, recognition: Double
    }

    /// By class.
    public private(set) var counts: [Count]

    public init(classes: Int) {
        counts = [Count](repeating: Count(), count: classes)
    }

    /// Mean over those of `classes` that occur; nil when none does.
    public func mean(_ classes: some Sequence<Int>) -> Score? {
        let scores = classes.compactMap { counts[$0].score }
        guard !scores.isEmpty else { return nil }
        let count = Double(scores.count)
        return Score(
            quality: scores.reduce(0) { $0 + $1.quality } / count, segmentation: scores.reduce(0) { $0 + $1.segmentation } / count,
            recognition: scores.reduce(0) { $0 + $1.recognition } / count)
    }

    /// The segments of all classes as if they were of one: what a single picture is ranked by.
    public var pooled: Score? {
        counts.reduce(Count(), +).score
    }

    public mutating func add(_ other: PanopticQuality) {
        for category in counts.indices { counts[category] = counts[category] + other.counts[category] }
    }

    /// Counts one picture. - Precondition: both maps have one size.
    public mutating func add(truth: PanopticMap, prediction: PanopticMap) {
        precondition(truth.size == prediction.size)
        // Pixels of every pair (id in the truth, id in the prediction), and of every predicted segment.
        var common: [UInt64: Int] = [:]
        var areas: [UInt32: Int] = [:]
        for (pair, pixels) in Self.runs(truth.ids, prediction.ids) {
            common[pair, default: 0] += pixels
            areas[UInt32(truncatingIfNeeded: pair), default: 0] += pixels
        }
        func pixels(_ one: UInt32, _ other: UInt32) -> Int { common[Self.pair(one, other)] ?? 0 }

        var found = Set<UInt32>()
        var crowds: [Int: UInt32] = [:]
        for segment in truth.segments {
            guard !segment.isCrowd else {
                crowds[segment.category] = segment.id
                continue
            }
            var isFound = false
            for other in prediction.segments where other.category == segment.category {
                let intersection = pixels(segment.id, other.id)
                guard intersection > 0 else { continue }
                // Pixels that are void in the truth count neither for nor against a segment.
                let union = (areas[other.id] ?? 0) + segment.area - intersection - pixels(0, other.id)
                let overlap = Double(intersection) / Double(union)
                guard overlap > 0.5 else { continue }
                counts[segment.category].truePositives += 1
                counts[segment.category].overlap += overlap
                found.insert(other.id)
                isFound = true
            }
            if !isFound { counts[segment.category].falseNegatives += 1 }
        }
        for segment in prediction.segments where !found.contains(segment.id) {
            guard let area = areas[segment.id] else { continue }
            let excused = pixels(0, segment.id) + (crowds[segment.category].map { pixels($0, segment.id) } ?? 0)
            if Double(excused) / Double(area) <= 0.5 { counts[segment.category].falsePositives += 1 }
        }
    }

    private static func pair(_ one: UInt32, _ other: UInt32) -> UInt64 {
        UInt64(one) << 32 | UInt64(other)
    }

    /// Runs of equal pairs, so that a dictionary is asked once a run and not once a pixel.
    private static func runs(_ ones: [UInt32], _ others: [UInt32]) -> [(pair: UInt64, pixels: Int)] {
        var runs: [(pair: UInt64, pixels: Int)] = []
        for index in ones.indices {
            let pair = pair(ones[index], others[index])
            if let last = runs.last, last.pair == pair { runs[runs.count - 1].pixels += 1 } else { runs.append((pair, 1)) }
        }
        return runs
    }
}
