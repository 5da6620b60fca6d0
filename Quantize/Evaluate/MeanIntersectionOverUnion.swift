/// Intersection over union of every class, from pixel counts over all pictures (Everingham et al., PASCAL VOC, 2010).
public struct MeanIntersectionOverUnion {
    /// Pixels of one class.
    public struct Count: Equatable {
        /// In the truth, in the prediction, and in both; pixels that are void in the truth are not counted.
        public var truth = 0, prediction = 0, both = 0

        /// 0...1; nil where the class occurs in neither.
        public var score: Double? {
            let union = truth + prediction - both
            return union > 0 ? Double(both) / Double(union) : nil
        }
    }

    /// By class.
    public private(set) var counts: [Count]

    public init(classes: Int) {
        counts = [Count](repeating: Count(), count: classes)
    }

    /// Counts one picture: the class of every pixel, negative for void in `truth`, and for a class that the data set lacks in `prediction`.
    public mutating func add(truth: [Int32], prediction: [Int32]) {
        precondition(truth.count == prediction.count)
        counts.withUnsafeMutableBufferPointer { counts in
            for index in truth.indices where truth[index] >= 0 {
                counts[Int(truth[index])].truth += 1
                guard prediction[index] >= 0 else { continue }
                counts[Int(prediction[index])].prediction += 1
                if prediction[index] == truth[index] { counts[Int(truth[index])].both += 1 }
            }
        }
    }

    public mutating func add(_ other: MeanIntersectionOverUnion) {
        for category in counts.indices {
            counts[category].truth += other.counts[category].truth
            counts[category].prediction += other.counts[category].prediction
            counts[category].both += other.counts[category].both
        }
    }

    /// Mean over those of `classes` that occur; nil when none does.
    public func mean(_ classes: some Sequence<Int>) -> Double? {
        let scores = classes.compactMap { counts[$0].score }
        return scores.isEmpty ? nil : scores.reduce(0, +) / Double(scores.count)
    }

    /// Fraction of the pixels that have the right class; nil without pixels.
    public var accuracy: Double? {
        let truth = counts.reduce(0) { $0 + $1.truth }
        return truth > 0 ? Double(counts.reduce(0) { $0 + $1.both }) / Double(truth) : nil
    }
}
