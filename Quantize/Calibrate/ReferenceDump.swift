import Board
import Checkpoint
import Foundation
import Kernels
import Network

/// Tensors recorded from a reference implementation for one picture (`Tests/Reference/dump.py`).
public final class ReferenceDump {
    /// How far a tensor is from its record.
    public struct Deviation {
        public let name: String
        /// Root mean square of the difference over that of the record.
        public let relative: Double
        public let largest: Double
        /// Share of values that differ at all.
        public let unequal: Double
        /// `relative` without the queries that have a mask logit within 1e-4 of the threshold: there rounding decides whether
        /// a pixel counts, and one pixel can move a small mask's mean.
        public let relativeOfStable: Double
    }

    private struct Record {
        let values: [Float]
        /// Every `step`-th value was kept.
        let step: Int
    }

    public let pixels: [UInt8]
    public let geometry: PictureGeometry
    public let classifier: Classifier
    /// Recorded panoptic ids and segments (id, is thing, category), where present.
    public let panoptic: [UInt16]
    public let panopticSegments: [[Int]]
    /// Recorded class of every pixel.
    public let semantic: [UInt16]
    /// Recorded scores and classes of instances, in no order.
    public let instances: [(score: Float, category: Int)]
    public let hasPanoptic: Bool
    private var records: [String: Record] = [:]
    private let embeddings: UnsafeMutablePointer<Float>
    public private(set) var deviations: [Deviation] = []
    /// Queries whose latest mask logits come close to the threshold.
    private var unstable: Set<Int> = []

    public init(path: String) throws(Fault) {
        let file = try TensorFile.open(path: path)
        func values(_ name: String) throws(Fault) -> [Float] {
            guard let tensor = file.tensor(name) else { throw Fault("\(path): has no tensor \(name)") }
            return tensor.floats()
        }
        let sizes = try values("meta.sizes").map { Int($0) }
        guard sizes.count == 6 else { throw Fault("\(path): meta.sizes is not six numbers") }
        geometry = PictureGeometry(
            picture: Size(height: sizes[0], width: sizes[1]), inner: Size(height: sizes[2], width: sizes[3]),
            padded: Size(height: sizes[4], width: sizes[5]))
        pixels = try values("resized_rgb").map { UInt8($0) }
        let names = try values("num_templates").map { Int($0) }, seen = try values("overlap"), thing = try values("meta.thing")
        let rows = try values("text.classifier")
        let count = names.reduce(0, +), width = rows.count / (count + 1)
        embeddings = .allocate(capacity: rows.count)
        embeddings.update(from: rows, count: rows.count)
        var start = 0
        classifier = Classifier(
            embeddings: Matrix(embeddings, rows: count, columns: width),
            names: names.map { number in
                defer { start += number }
                return start..<start + number
            },
            isSeen: seen.map { $0 > 0 }, isThing: thing.map { $0 > 0 })
        func labels(_ name: String) -> [UInt16] { file.tensor(name)?.floats().map { UInt16($0) } ?? [] }
        panoptic = labels("panoptic")
        hasPanoptic = !panoptic.isEmpty
        let segments = file.tensor("panoptic.segments")?.floats().map { Int($0) } ?? []
        panopticSegments = stride(from: 0, to: segments.count, by: 3).map { Array(segments[$0..<$0 + 3]) }
        semantic = labels("sem_seg.argmax")
        let scores = file.tensor("inst.scores")?.floats() ?? [], classes = file.tensor("inst.classes")?.floats() ?? []
        instances = zip(scores, classes).map { ($0, Int($1)) }
        for name in file.names {
            let parts = name.split(separator: "@")
            guard let tensor = file.tensor(name), parts.count <= 2 else { continue }
            records[String(parts[0])] = Record(values: tensor.floats(), step: parts.count == 2 ? Int(parts[1]) ?? 1 : 1)
        }
    }

    deinit {
        embeddings.deallocate()
    }

    /// Compares `values` with the record called `name`, if there is one. - Returns: the deviation, which is also kept.
    @discardableResult
    public func compare(_ name: String, _ values: Matrix) -> Deviation? {
        if name.hasSuffix("mask_logits") { noteUnstable(values) }
        guard let record = records[name] else { return nil }
        let isPerQuery = Self.pooled.contains { name.contains($0) }
        var squares = 0.0, differences = 0.0, stableSquares = 0.0, stableDifferences = 0.0, largest = 0.0, unequal = 0
        guard record.values.count == (values.count + record.step - 1) / record.step else {
            let deviation = Deviation(name: name, relative: .infinity, largest: .infinity, unequal: 1, relativeOfStable: .infinity)
            deviations.append(deviation)
            return deviation
        }
        for (index, expected) in record.values.enumerated() {
            let difference = Double(values.base[index * record.step]) - Double(expected)
            squares += Double(expected) * Double(expected)
            differences += difference * difference
            largest = max(largest, abs(difference))
            if difference != 0 { unequal += 1 }
            if isPerQuery, unstable.contains(index * record.step / values.columns) { continue }
            stableSquares += Double(expected) * Double(expected)
            stableDifferences += difference * difference
        }
        let deviation = Deviation(
            name: name, relative: (differences / max(squares, 1e-30)).squareRoot(), largest: largest,
            unequal: Double(unequal) / Double(max(record.values.count, 1)),
            relativeOfStable: (stableDifferences / max(stableSquares, 1e-30)).squareRoot())
        deviations.append(deviation)
        return deviation
    }

    /// Parts of the names of tensors that depend on which pixels a mask holds.
    private static let pooled = ["maskpool", "class_embed", "class_logits", "clip.", "prob."]

    private func noteUnstable(_ logits: Matrix) {
        unstable = Set((0..<logits.rows).filter { query in
            (0..<logits.columns).contains { abs(logits[query, $0]) < 1e-4 }
        })
    }

    /// Names of records of network tensors that nothing was compared with.
    public var missing: [String] {
        let compared = Set(deviations.map(\.name))
        let tables = ["meta.", "panoptic", "inst.", "sem_seg.argmax", "resized_rgb", "num_templates", "overlap", "text."]
        return records.keys.filter { name in !compared.contains(name) && !tables.contains { name.hasPrefix($0) } }.sorted()
    }
}
