import CSystem
import Checkpoint
import Foundation
import Imaging
import Kernels
import ModelFormat
import Network
import System

/// Tensors recorded from a reference implementation for one picture (`Tests/Reference/dump.py`).
public final class ReferenceDump {
    /// How far a tensor is from its record.
    public struct Deviation {
        public let name: String
        /// Root mean square of the difference over that of the record.
        public let relative: Double
        public let largest: Double
        /// Fraction of values that differ at all.
        public let unequal: Double
        /// `relative` without the queries that have a mask logit within 1e-4 of zero where the tensor's pixels are chosen: there
        /// rounding decides whether a pixel counts, and one pixel can move a small mask's mean.
        public let relativeOfStable: Double
        /// `largest` without them.
        public let largestOfStable: Double
    }

    /// A recorded instance. Where rounding decides whether it is among those reported, or its score, it is not decided.
    public struct Instance {
        public let score: Float
        public let category: Int
        public let isDecided: Bool
    }

    struct Record {
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
    /// Recorded instances, in no order.
    public let instances: [Instance]
    public let hasPanoptic: Bool
    private(set) var records: [String: Record] = [:]
    public private(set) var deviations: [Deviation] = []
    public internal(set) var attentionMasks: [AttentionMask] = []
    /// Queries with a logit near zero in their latest mask, of stride 4, and in the same resized to stride 32, which CLIP's features are
    /// pooled by.
    private var unstable: Set<Int> = []
    private var unstableResized: Set<Int> = []
    /// Their largest fraction at any layer.
    public private(set) var unstableFraction = 0.0

    public init(path: String) throws(Fault) {
        let file = try TensorFile.open(path: path)
        func values(_ name: String) throws(Fault) -> [Float] {
            guard let tensor = file.tensor(name) else { throw Fault("\(path): has no tensor \(name)") }
            return tensor.floats()
        }
        /// Whole numbers of 0...`limit`.
        func numbers(_ name: String, upTo limit: Int) throws(Fault) -> [Int] {
            let floats = try values(name)
            guard floats.allSatisfy({ $0 >= 0 && $0 <= Float(limit) }) else {
                throw Fault("\(path): \(name) holds values other than 0...\(limit)")
            }
            return floats.map { Int($0) }
        }
        let sizes = try numbers("meta.sizes", upTo: 1 << 16)
        guard sizes.count == 6, sizes.allSatisfy({ $0 > 0 }), sizes[4] % 32 == 0, sizes[5] % 32 == 0, sizes[2] <= sizes[4], sizes[3] <= sizes[5] else {
            throw Fault("\(path): meta.sizes is not the sizes of a picture, resized and padded")
        }
        geometry = PictureGeometry(
            picture: Size(height: sizes[0], width: sizes[1]), inner: Size(height: sizes[2], width: sizes[3]),
            padded: Size(height: sizes[4], width: sizes[5]))
        pixels = try numbers("resized_rgb", upTo: 255).map { UInt8($0) }
        let names = try numbers("num_templates", upTo: 1 << 16)
        let seen = try values("overlap")
        let thing = try values("meta.thing")
        let rows = try values("text.classifier")
        let count = names.reduce(0, +)
        let width = rows.count / (count + 1)
        guard pixels.count == sizes[2] * sizes[3] * 3, !names.isEmpty, names.count == seen.count, names.count == thing.count,
            names.allSatisfy({ $0 > 0 }), width > 0, rows.count == width * (count + 1)
        else {
            throw Fault("\(path): its picture, classes and embeddings contradict each other")
        }
        let embeddings = NameEmbeddings(rows: count, columns: width)
        embeddings.withValues { $0.base.update(from: rows, count: $0.count) }
        var start = 0
        classifier = Classifier(
            embeddings: embeddings,
            names: names.map { number in
                defer { start += number }
                return start..<start + number
            },
            isSeen: seen.map { $0 > 0 }, isThing: thing.map { $0 > 0 })
        func present(_ name: String) throws(Fault) -> [Int] { file.tensor(name) == nil ? [] : try numbers(name, upTo: 65535) }
        panoptic = try present("panoptic").map { UInt16($0) }
        hasPanoptic = !panoptic.isEmpty
        let segments = try present("panoptic.segments")
        panopticSegments = stride(from: 0, to: segments.count - 2, by: 3).map { Array(segments[$0..<$0 + 3]) }
        semantic = try present("sem_seg.argmax").map { UInt16($0) }
        let scores = file.tensor("inst.scores")?.floats() ?? []
        let classes = try present("inst.classes")
        let decided = file.tensor("inst.decided")?.floats() ?? [Float](repeating: 1, count: scores.count)
        guard classes.count == scores.count, decided.count == scores.count else { throw Fault("\(path): its instances contradict each other") }
        instances = scores.indices.map { Instance(score: scores[$0], category: classes[$0], isDecided: decided[$0] > 0) }
        for name in file.names {
            let parts = name.split(separator: "@")
            guard let tensor = file.tensor(name), parts.count <= 2 else { continue }
            records[String(parts[0])] = Record(values: tensor.floats(), step: parts.count == 2 ? max(Int(parts[1]) ?? 1, 1) : 1)
        }
    }

    /// Compares `values` with the record called `name`, if there is one. - Returns: the deviation, which is also kept.
    @discardableResult
    public func compare(_ name: String, _ values: Matrix) -> Deviation? {
        if name.hasSuffix("mask_logits") { noteUnstable(values) }
        guard let record = records[name] else { return nil }
        let excluded = unstableQueries(name)
        var squares = 0.0
        var differences = 0.0
        var stableSquares = 0.0
        var stableDifferences = 0.0
        var largest = 0.0
        var stableLargest = 0.0
        var unequal = 0
        guard record.values.count == (values.count + record.step - 1) / record.step else {
            let deviation = Deviation(name: name, relative: .infinity, largest: .infinity, unequal: 1, relativeOfStable: .infinity, largestOfStable: .infinity)
            deviations.append(deviation)
            return deviation
        }
        for (index, expected) in record.values.enumerated() {
            let difference = Double(values.base[index * record.step]) - Double(expected)
            squares += Double(expected) * Double(expected)
            differences += difference * difference
            largest = max(largest, abs(difference))
            if difference != 0 { unequal += 1 }
            if excluded.contains(index * record.step / values.columns) { continue }
            stableSquares += Double(expected) * Double(expected)
            stableDifferences += difference * difference
            stableLargest = max(stableLargest, abs(difference))
        }
        let deviation = Deviation(
            name: name, relative: (differences / max(squares, 1e-30)).squareRoot(), largest: largest,
            unequal: Double(unequal) / Double(max(record.values.count, 1)),
            relativeOfStable: (stableDifferences / max(stableSquares, 1e-30)).squareRoot(), largestOfStable: stableLargest)
        deviations.append(deviation)
        return deviation
    }

    /// The queries that `Deviation.relativeOfStable` leaves out for the tensor `name`: none unless it depends on which pixels a mask holds.
    private func unstableQueries(_ name: String) -> Set<Int> {
        if name == "prob.final" { return unstable.union(unstableResized) }
        if ["clip.", "prob.out_vocab"].contains(where: { name.hasPrefix($0) }) { return unstableResized }
        return ["maskpool", "class_embed", "class_logits", "prob."].contains { name.contains($0) } ? unstable : []
    }

    private func noteUnstable(_ logits: Matrix) {
        let maps = (
            Size(height: geometry.padded.height / 4, width: geometry.padded.width / 4),
            Size(height: geometry.padded.height / 32, width: geometry.padded.width / 32)
        )
        var small = [Float](repeating: 0, count: maps.1.area)
        unstable = []
        unstableResized = []
        for query in 0..<logits.rows {
            let row = logits.row(query)
            if (0..<logits.columns).contains(where: { abs(row[$0]) < Self.threshold }) { unstable.insert(query) }
            resizeBilinearPlane(row, from: maps.0, to: maps.1, into: &small)
            if small.contains(where: { abs($0) < Self.threshold }) { unstableResized.insert(query) }
        }
        unstableFraction = max(unstableFraction, Double(unstable.union(unstableResized).count) / Double(max(logits.rows, 1)))
    }

    /// Names of records of network tensors that nothing was compared with.
    public var missing: [String] {
        let compared = Set(deviations.map(\.name))
        let tables = ["meta.", "panoptic", "inst.", "sem_seg.argmax", "resized_rgb", "num_templates", "overlap", "text."]
        return records.keys.filter { name in !compared.contains(name) && !tables.contains { name.hasPrefix($0) } }.sorted()
    }
}
