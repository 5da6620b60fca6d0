import Kernels
import Network

/// Average precision of masks, as COCO measures it (cocodataset.org/#detection-eval): over intersections over unions of 0.50, 0.55, ...,
/// 0.95, with at most 100 predictions a class and picture, precision interpolated at 101 recalls.
public struct AveragePrecision {
    /// An annotated thing.
    public struct Truth {
        public let category: Int
        public let isCrowd: Bool
        /// Pixels as the data set states them; decides between small, medium and large.
        public let area: Double
        public let mask: BitMask

        public init(category: Int, isCrowd: Bool, area: Double, mask: BitMask) {
            (self.category, self.isCrowd, self.area, self.mask) = (category, isCrowd, area, mask)
        }
    }

    public struct Prediction {
        public let category: Int
        public let score: Double
        public let mask: BitMask

        public init(category: Int, score: Double, mask: BitMask) {
            (self.category, self.score, self.mask) = (category, score, mask)
        }
    }

    /// What sizes of things are counted; others are neither found nor missed.
    public enum Extent: Int, CaseIterable {
        case all, small, medium, large

        /// Pixels, both ends included.
        var range: ClosedRange<Double> {
            switch self {
            case .all: 0...1e10
            case .small: 0...1024
            case .medium: 1024...9216
            case .large: 9216...1e10
            }
        }
    }

    public static let thresholds = (0..<10).map { 0.5 + Double($0) * ((0.95 - 0.5) / 9) }
    private static let recalls = (0...100).map { Double($0) * 0.01 }
    private static let most = 100

    /// A prediction's fate at every threshold, one bit each.
    private struct Outcome {
        let score: Double
        var matched: UInt16 = 0
        var ignored: UInt16 = 0
    }

    private struct Record {
        var outcomes: [Outcome] = []
        var truths = 0
    }

    private var records: [[Record]]

    public init(classes: Int) {
        records = [[Record]](repeating: [Record](repeating: Record(), count: Extent.allCases.count), count: classes)
    }

    /// Counts one picture. Equal scores keep the order of `predictions`.
    public mutating func add(truths: [Truth], predictions: [Prediction]) {
        for category in records.indices {
            let truths = truths.filter { $0.category == category }
            let order = predictions.indices.filter { predictions[$0].category == category }
                .sorted { predictions[$0].score != predictions[$1].score ? predictions[$0].score > predictions[$1].score : $0 < $1 }
            let predictions = order.prefix(Self.most).map { predictions[$0] }
            guard !truths.isEmpty || !predictions.isEmpty else { continue }
            let overlaps = predictions.map { prediction in truths.map { prediction.mask.overlap($0.mask, isCrowd: $0.isCrowd) } }
            let areas = predictions.map { Double($0.mask.area) }
            for extent in Extent.allCases {
                let ignored = truths.map { $0.isCrowd || !extent.range.contains($0.area) }
                records[category][extent.rawValue].truths += ignored.count { !$0 }
                var outcomes = predictions.map { Outcome(score: $0.score) }
                for (bit, threshold) in Self.thresholds.enumerated() {
                    Self.match(overlaps, threshold, truths, ignored, bit: UInt16(1) << UInt16(bit), &outcomes)
                }
                for index in outcomes.indices where !extent.range.contains(areas[index]) {
                    outcomes[index].ignored |= ~outcomes[index].matched
                }
                records[category][extent.rawValue].outcomes += outcomes
            }
        }
    }

    /// Gives every prediction, best first, the free truth that it overlaps most, one that counts before one that does not.
    private static func match(
        _ overlaps: [[Double]], _ threshold: Double, _ truths: [Truth], _ ignored: [Bool], bit: UInt16, _ outcomes: inout [Outcome]
    ) {
        let order = truths.indices.filter { !ignored[$0] } + truths.indices.filter { ignored[$0] }
        var taken = [Bool](repeating: false, count: truths.count)
        for index in outcomes.indices {
            var best: Int?
            var overlap = min(threshold, 1 - 1e-10)
            for truth in order where !taken[truth] || truths[truth].isCrowd {
                if let best, !ignored[best], ignored[truth] { break }
                guard overlaps[index][truth] >= overlap else { continue }
                overlap = overlaps[index][truth]
                best = truth
            }
            guard let best else { continue }
            taken[best] = true
            outcomes[index].matched |= bit
            if ignored[best] { outcomes[index].ignored |= bit }
        }
    }

    // MARK: - Scores

    /// Average precision of a class, 0...1: at one of `thresholds`, or over all; nil where no thing of the class counts.
    public func score(_ category: Int, threshold: Int? = nil, extent: Extent = .all) -> Double? {
        let record = records[category][extent.rawValue]
        guard record.truths > 0 else { return nil }
        let order = record.outcomes.indices.sorted {
            record.outcomes[$0].score != record.outcomes[$1].score ? record.outcomes[$0].score > record.outcomes[$1].score : $0 < $1
        }
        let outcomes = order.map { record.outcomes[$0] }
        let bits = threshold.map { $0..<$0 + 1 } ?? 0..<Self.thresholds.count
        return bits.reduce(0) { $0 + Self.area(outcomes, bit: UInt16(1) << UInt16($1), truths: record.truths) } / Double(bits.count)
    }

    /// Mean over those of `classes` of which there are things.
    public func mean(_ classes: some Sequence<Int>, threshold: Int? = nil, extent: Extent = .all) -> Double? {
        let scores = classes.compactMap { score($0, threshold: threshold, extent: extent) }
        return scores.isEmpty ? nil : scores.reduce(0, +) / Double(scores.count)
    }

    /// Area under the interpolated curve of precision over recall.
    private static func area(_ outcomes: [Outcome], bit: UInt16, truths: Int) -> Double {
        var found = 0
        var wrong = 0
        var recall: [Double] = []
        var precision: [Double] = []
        for outcome in outcomes where outcome.ignored & bit == 0 {
            if outcome.matched & bit != 0 { found += 1 } else { wrong += 1 }
            recall.append(Double(found) / Double(truths))
            precision.append(Double(found) / Double(found + wrong))
        }
        for index in precision.indices.dropLast().reversed() { precision[index] = max(precision[index], precision[index + 1]) }
        var sum = 0.0
        var index = 0
        for wanted in recalls {
            while index < recall.count, recall[index] < wanted { index += 1 }
            guard index < recall.count else { break }
            sum += precision[index]
        }
        return sum / Double(recalls.count)
    }
}
