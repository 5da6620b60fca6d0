import CHash
import CSystem
import Checkpoint
import Foundation
import Imaging
import Kernels
import ModelFormat
import Network
import System

/// Runs the fp32 network over pictures and keeps what int8 needs to know of its activations.
public final class Calibration {
    public let checkpoint: Checkpoint
    public let arithmetic: FloatArithmetic
    public let network: SegmentationNetwork<FloatArithmetic>
    public let preprocessing: Preprocessing
    /// Names of the pictures seen, in order, and a hash over their pixels.
    public private(set) var pictures: [String] = []
    public private(set) var pictureHash: UInt64 = 0
    private var ranges: [String: ChannelRanges] = [:]
    /// Activations do not depend on the vocabulary: one name stands for any.
    let anyClassifier: Classifier

    public init(_ checkpoint: Checkpoint, preprocessing: Preprocessing, threads: Int) throws(Fault) {
        self.checkpoint = checkpoint
        self.preprocessing = preprocessing
        let architecture = try checkpoint.architecture()
        arithmetic = FloatArithmetic(FoldedCheckpoint(checkpoint, architecture), threads: threads)
        let name = NameEmbeddings(rows: 1, columns: architecture.embedding)
        name.withValues { $0.base.update(repeating: 1 / Float($0.count).squareRoot(), count: $0.count) }
        anyClassifier = Classifier(embeddings: name, names: [0..<1], isSeen: [true], isThing: [true])
        network = try SegmentationNetwork(arithmetic, architecture)
        for point in arithmetic.points { ranges[point.name] = ChannelRanges(channels: point.channels) }
    }

    /// Observes every picture of `paths`; `progress` is told how many are done.
    public func observe(_ paths: [String], progress: (Int) -> Void) throws(Fault) {
        let preprocessor = Preprocessor(preprocessing)
        arithmetic.observe = { [self] point, values in ranges[point.name]?.observe(values) }
        defer { arithmetic.observe = nil }
        for (index, path) in paths.enumerated() {
            let picture = try Picture.read(path: path)
            if let warning = picture.warning { Log.write("\(path): \(warning)") }
            preprocessor.resize(picture)
            let size = preprocessor.resizedSize
            preprocessor.withResized { pixels in
                network.run(pixels, size: size, padded: preprocessor.paddedSize, classifier: anyClassifier) { _ in }
                pictureHash = pictureHash &* 31 &+ hash_xxh3(pixels, size.area * 3)
            }
            pictures.append(URL(filePath: path).lastPathComponent)
            progress(index + 1)
        }
        for point in arithmetic.points {
            guard let seen = ranges[point.name], seen.isFinite else {
                throw Fault("\(point.name): values on the calibration pictures are not finite numbers; the checkpoint is damaged or no FC-CLIP")
            }
        }
    }

    // MARK: - Decisions

    /// Layers kept in float32: the in-vocabulary classifier, a thousandth of the work, whose errors a temperature of 100 multiplies.
    static let floatLayers = ["mask_decoder.pool", "mask_decoder.class_embedding"]

    public func isFloat(_ layer: FloatArithmetic.Layer) -> Bool {
        Self.floatLayers.contains { layer.name.hasPrefix($0) }
    }

    /// Scales of `point`; nil where its values stay in float32.
    public func scales(_ point: FloatArithmetic.QuantizationPoint) -> QuantizationParameters? {
        guard let seen = ranges[point.name], !point.consumers.contains(where: isFloat), point.name != "open_vocabulary.dense" else { return nil }
        if point.name == "backbone.stem.input" { return QuantizationParameters(scale: 1, zeroPoint: 0, factors: []) }
        guard !seen.isEmpty else { return nil }
        if point.consumers.contains(where: \.isDepthwise) { return .separate(seen) }
        // Mask embeddings take the part of weights in mask products.
        guard !point.consumers.isEmpty else { return .common(seen, symmetric: point.name == "mask_decoder.mask_embeddings") }
        var weights = [Float](repeating: 0, count: point.channels)
        for layer in point.consumers {
            for (index, weight) in layer.parameters.weights.enumerated() {
                let channel = index % layer.parameters.depth % point.channels
                weights[channel] = max(weights[channel], abs(weight))
            }
        }
        return .balanced(seen, weights: weights)
    }

    /// `layer` in int8.
    func quantized(_ layer: FloatArithmetic.Layer, input: QuantizationParameters) -> QuantizedLayer {
        if layer.isDepthwise { return QuantizedLayer(depthwise: layer.parameters, input: input) }
        let parameters = layer.name == "backbone.stem" ? layer.parameters.readingPixels() : layer.parameters
        return QuantizedLayer(parameters, input: input, channels: layer.input.channels)
    }
}

extension FloatWeights {
    /// The stem's weights for a picture's bytes less 128 in place of normalised colours.
    func readingPixels() -> FloatWeights {
        let mean = [PixelStatistics.mean.0, PixelStatistics.mean.1, PixelStatistics.mean.2].map(Double.init)
        let deviation = [PixelStatistics.deviation.0, PixelStatistics.deviation.1, PixelStatistics.deviation.2].map(Double.init)
        var result = self
        for column in 0..<columns {
            var shift = Double(bias[column])
            for position in 0..<depth {
                let weight = Double(weights[column * depth + position]) / deviation[position % 3]
                result.weights[column * depth + position] = Float(weight)
                shift += weight * (128 - mean[position % 3])
            }
            result.bias[column] = Float(shift)
        }
        return result
    }
}
