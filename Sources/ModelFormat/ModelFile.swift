import Imaging
import Kernels
import System

/// An int8 FC-CLIP model: a GGUF file with weights, quantization points, preprocessing constants and provenance.
///
/// A layer `X` is stored as `X.weight`, int8 (columns x depth; depthwise 49 x channels) with `X.scale` (f32, one for each
/// column: weight scale x input scale) and `X.bias` (f32), or in float32 as `X.weight` and `X.bias` alone.
/// A quantization point is an entry of the three `fcclip.points` arrays; `P.scale` (f32, one for each channel) refines it
/// where channels have scales of their own. A point without an entry stays in float32.
public final class ModelFile {
    public static let architectureName = "fcclip"
    public static let version = 1

    public let file: GGUF
    public let architecture: Architecture
    /// Shortest edge that pictures are resized to, and the longest that may result, in pixels.
    public let shortestEdge: Int
    public let longestEdge: Int
    /// Weights of the two classifiers; the default ones where the file has none.
    public let ensemble: Ensemble
    /// Fingerprint of the CLIP that vocabularies must be made with.
    public let clipFingerprint: String
    /// XXH3-64 over everything before the tensors, checksums of the tensors included, as 16 hexadecimal digits.
    public let identity: String

    public struct StoredPoint {
        public let scale: Float
        public let zeroPoint: Int32
    }

    /// Quantization points by name; one without an entry stays in float32.
    public let points: [String: StoredPoint]

    public enum Key {
        public static let version = "fcclip.version"
        public static let shortestEdge = "fcclip.input.shortest_edge"
        public static let longestEdge = "fcclip.input.longest_edge"
        public static let mean = "fcclip.input.mean"
        public static let deviation = "fcclip.input.deviation"
        public static let alpha = "fcclip.ensemble.seen_share"
        public static let beta = "fcclip.ensemble.unseen_share"
        public static let fingerprint = "fcclip.clip.fingerprint"
        public static let pointNames = "fcclip.points.names"
        public static let pointScales = "fcclip.points.scales"
        public static let pointZeroPoints = "fcclip.points.zero_points"
    }

    /// Opens and checks a model file; weights are read, and checked, when a network is made of it.
    public init(path: String) throws(Fault) {
        file = try GGUF(path: path)
        let kind = try file.string("general.architecture")
        guard kind == Self.architectureName else {
            throw Fault(
                kind == "fcclip-vocabulary" ? "\(path): a vocabulary file where a model file is expected" : "\(path): not an FC-CLIP model but '\(kind)'")
        }
        let version = try file.integer(Key.version)
        guard version == Self.version else {
            throw Fault("\(path): model version \(version), this program reads version \(Self.version); quantize the checkpoint again")
        }
        try file.requireChecksums()
        architecture = try Architecture(of: file)
        shortestEdge = try file.integer(Key.shortestEdge)
        longestEdge = try file.integer(Key.longestEdge)
        guard shortestEdge > 0, shortestEdge <= longestEdge, longestEdge <= 1 << 14 else {
            throw Fault("\(path): input edges \(shortestEdge) and \(longestEdge) are out of range")
        }
        let mean = PixelStatistics.mean
        let deviation = PixelStatistics.deviation
        guard try file.floats(Key.mean) == [mean.0, mean.1, mean.2], try file.floats(Key.deviation) == [deviation.0, deviation.1, deviation.2] else {
            throw Fault("\(path): pictures are not normalized with CLIP's mean and deviation")
        }
        let standard = Ensemble()
        ensemble = Ensemble(
            alpha: try Self.ensembleWeight(Key.alpha, of: file) ?? standard.alpha, beta: try Self.ensembleWeight(Key.beta, of: file) ?? standard.beta)
        clipFingerprint = try file.string(Key.fingerprint)
        identity = try file.identity()
        points = try Self.points(of: file)
    }

    /// Checks that the model can use `vocabulary`.
    /// - Throws: when it was made with another CLIP than the model's.
    public func requireFit(_ vocabulary: Vocabulary) throws(Fault) {
        let width = architecture.embedding
        guard vocabulary.embeddingWidth == width else {
            throw Fault(
                "\(vocabulary.path): embeddings are \(vocabulary.embeddingWidth) wide, those of \(file.path) \(width); make it with the model's checkpoint")
        }
        guard vocabulary.clipFingerprint == clipFingerprint else {
            throw Fault("\(vocabulary.path): made with another CLIP than \(file.path); make it with the model's checkpoint")
        }
    }

    private static func ensembleWeight(_ key: String, of file: GGUF) throws(Fault) -> Float? {
        guard file.has(key) else { return nil }
        let ensembleWeight = try file.float(key)
        guard ensembleWeight >= 0, ensembleWeight <= 1 else { throw Fault("\(file.path): \(key) is \(ensembleWeight), not between 0 and 1") }
        return ensembleWeight
    }

    private static func points(of file: GGUF) throws(Fault) -> [String: StoredPoint] {
        let names = try file.strings(Key.pointNames)
        let scales = try file.floats(Key.pointScales)
        let zeros = try file.integers(Key.pointZeroPoints)
        guard names.count == scales.count, names.count == zeros.count else {
            throw Fault("\(file.path): \(names.count) quantization points but \(scales.count) scales and \(zeros.count) zero points")
        }
        var points: [String: StoredPoint] = [:]
        for index in names.indices {
            guard scales[index].isFinite, scales[index] > 0, (-128...127).contains(zeros[index]) else {
                throw Fault("\(file.path): quantization point \(names[index]) has scale \(scales[index]) and zero point \(zeros[index])")
            }
            points[names[index]] = StoredPoint(scale: scales[index], zeroPoint: Int32(zeros[index]))
        }
        return points
    }

    private func read<Element>(_ name: String, kind: GGUF.Kind, count: Int, into target: UnsafeMutablePointer<Element>) throws(Fault) {
        let tensor = try file.tensor(name)
        guard tensor.kind == kind, tensor.count == count else {
            throw Fault("\(file.path): \(name) holds \(tensor.count) \(tensor.kind.name) where \(count) \(kind.name) are expected")
        }
        try file.read(tensor, into: UnsafeMutableRawBufferPointer(start: target, count: count * MemoryLayout<Element>.stride))
    }

    /// Reads tensor `name`, its checksum compared, into `count` values at `target`. - Throws: unless there are exactly so many finite ones.
    public func floats(_ name: String, count: Int, into target: UnsafeMutablePointer<Float>) throws(Fault) {
        try read(name, kind: .float32, count: count, into: target)
        for index in 0..<count where !target[index].isFinite { throw Fault("\(file.path): \(name) holds a value that is not a finite number") }
    }

    /// Int8 elements of tensor `name`, as `floats`. - Throws: also where a weight is -128, which kernels exclude.
    public func weights(_ name: String, count: Int, into target: UnsafeMutablePointer<Int8>) throws(Fault) {
        try read(name, kind: .int8, count: count, into: target)
        var least: Int8 = 0
        for index in 0..<count { least = min(least, target[index]) }
        guard least > -128 else { throw Fault("\(file.path): \(name) holds -128; int8 weights are -127...127") }
    }
}
