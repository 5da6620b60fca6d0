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
    /// Shares of the two classifiers; the paper's where the file names none.
    public let ensemble: Ensemble
    /// Identity of the CLIP that vocabularies must have been made with.
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
        public static let depths = "fcclip.backbone.depths"
        public static let dims = "fcclip.backbone.dims"
        /// The other numbers of the architecture, in the order of `Architecture.init` and `TextArchitecture.init`.
        public static let numbers = [
            "fcclip.embedding_length", "fcclip.visual_hidden_length", "fcclip.hidden_length", "fcclip.head_count", "fcclip.point_count",
            "fcclip.encoder.layer_count", "fcclip.encoder.feed_forward_length", "fcclip.decoder.layer_count",
            "fcclip.decoder.feed_forward_length", "fcclip.query_count", "fcclip.text.length", "fcclip.text.layer_count",
            "fcclip.text.vocabulary_size", "fcclip.text.context_length",
        ]
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
        architecture = try Self.architecture(of: file)
        shortestEdge = try file.integer(Key.shortestEdge)
        longestEdge = try file.integer(Key.longestEdge)
        guard shortestEdge > 0, shortestEdge <= longestEdge, longestEdge <= 1 << 14 else {
            throw Fault("\(path): input edges \(shortestEdge) and \(longestEdge) are out of range")
        }
        let mean = PixelStatistics.mean
        let deviation = PixelStatistics.deviation
        guard try file.floats(Key.mean) == [mean.0, mean.1, mean.2], try file.floats(Key.deviation) == [deviation.0, deviation.1, deviation.2] else {
            throw Fault("\(path): pictures are normalised otherwise than CLIP's")
        }
        let paper = Ensemble()
        ensemble = Ensemble(
            alpha: try Self.ensembleWeight(Key.alpha, of: file) ?? paper.alpha, beta: try Self.ensembleWeight(Key.beta, of: file) ?? paper.beta)
        clipFingerprint = try file.string(Key.fingerprint)
        identity = try file.identity()
        points = try Self.points(of: file)
    }

    private static func architecture(of file: GGUF) throws(Fault) -> Architecture {
        let depths = try file.integers(Key.depths)
        let dims = try file.integers(Key.dims)
        var numbers: [Int] = []
        for key in Key.numbers {
            let number = try file.integer(key)
            guard number >= 0, number <= 1 << 20 else { throw Fault("\(file.path): \(key) \(number) is out of range") }
            numbers.append(number)
        }
        let plausible = depths.count == 4 && dims.count == 4 && depths.allSatisfy { (1...1000).contains($0) } && dims.allSatisfy { (1...1 << 16).contains($0) }
        guard plausible else { throw Fault("\(file.path): four backbone stages are expected") }
        let result = Architecture(
            depths: depths, dims: dims, embedding: numbers[0], visualHidden: numbers[1], hidden: numbers[2], heads: numbers[3],
            points: numbers[4], encoderLayers: numbers[5], encoderFeedForward: numbers[6], decoderLayers: numbers[7],
            decoderFeedForward: numbers[8], queries: numbers[9],
            text: TextArchitecture(width: numbers[10], layers: numbers[11], vocabulary: numbers[12], context: numbers[13]))
        guard result.embedding > 0, result.heads > 0, result.hidden > 0, result.hidden % result.heads == 0, result.hidden % Architecture.groups == 0,
            (1...64).contains(result.points), result.heads <= 256, (1...100).contains(result.encoderLayers), (1...100).contains(result.decoderLayers),
            (1...10000).contains(result.queries), result.encoderFeedForward > 0, result.decoderFeedForward > 0
        else {
            throw Fault("\(file.path): the architecture's numbers contradict each other")
        }
        return result
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
