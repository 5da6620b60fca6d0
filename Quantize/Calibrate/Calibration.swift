import CHash
import CSystem
import Checkpoint
import Foundation
import Imaging
import Kernels
import ModelFormat
import Network
import System

/// Runs the fp32 network over calibration pictures, observes its activations, and decides scales and int8 weights.
public final class Calibration {
    public let checkpoint: Checkpoint
    public let arithmetic: FloatArithmetic
    public let network: SegmentationNetwork<FloatArithmetic>
    public let preprocessing: Preprocessing
    public let policy: QuantizationPolicy
    /// Names of the pictures seen, in order, and a hash over their pixels.
    public private(set) var pictures: [String] = []
    public private(set) var pictureHash: UInt64 = 0
    /// By the point's name.
    private var observers: [String: any RangeObserver] = [:]
    private var means: [String: MeanObserver] = [:]
    /// A classifier of one name: activations do not depend on the vocabulary.
    let anyClassifier: Classifier

    public init(_ checkpoint: Checkpoint, preprocessing: Preprocessing, policy: QuantizationPolicy = .standard, threads: Int) throws(Fault) {
        self.checkpoint = checkpoint
        self.preprocessing = preprocessing
        self.policy = policy
        let architecture = try checkpoint.architecture()
        arithmetic = FloatArithmetic(FoldedCheckpoint(checkpoint, architecture), threads: threads)
        let name = NameEmbeddings(rows: 1, columns: architecture.embedding)
        name.withValues { $0.base.update(repeating: 1 / Float($0.count).squareRoot(), count: $0.count) }
        anyClassifier = Classifier(embeddings: name, names: [0..<1], isSeen: [true], isThing: [true])
        network = try SegmentationNetwork(arithmetic, architecture)
        for point in arithmetic.points {
            observers[point.name] = decision(point).range.observer(channels: point.channels)
            means[point.name] = MeanObserver(channels: point.channels)
        }
    }

    /// Observes every picture of `paths`; `progress` gets the number done.
    public func observe(_ paths: [String], progress: (Int) -> Void) throws(Fault) {
        let preprocessor = Preprocessor(preprocessing)
        arithmetic.observe = { [self] point, values in
            observers[point.name]?.observe(values)
            means[point.name]?.observe(values)
        }
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
            guard let observer = observers[point.name], observer.isFinite else {
                throw Fault("\(point.name): values on the calibration pictures are not finite numbers; the checkpoint is damaged or not an FC-CLIP")
            }
        }
    }

    // MARK: - Decisions

    /// A point is treated as the first layer that reads it; one that no layer reads has a decision of its own.
    private func decision(_ point: FloatArithmetic.QuantizationPoint) -> QuantizationDecision {
        policy.decision(for: point.consumers.first?.name ?? point.name)
    }

    /// Whether the values at `point` stay in float32, and with them all layers that read it: when one of these does.
    private func isFloat(_ point: FloatArithmetic.QuantizationPoint) -> Bool {
        decision(point).precision == .float32 || point.consumers.contains { policy.decision(for: $0.name).precision == .float32 }
    }

    /// Scales of `point`; nil where its values stay in float32.
    public func scales(_ point: FloatArithmetic.QuantizationPoint) -> QuantizationParameters? {
        guard !isFloat(point) else { return nil }
        let ranges = observers[point.name]?.ranges
        return switch point.readers {
        case .noProduct: nil
        // Known without being observed.
        case .stem: .pixels
        case .depthwise: ranges.map { .separate($0) }
        case .kernel(let symmetric): ranges.map { .common($0, symmetric: symmetric) }
        case .linear: ranges.map { .balanced($0, weights: largestWeights(reading: point)) }
        }
    }

    /// Largest magnitude of the weights that read each channel of `point`.
    private func largestWeights(reading point: FloatArithmetic.QuantizationPoint) -> [Float] {
        var weights = [Float](repeating: 0, count: point.channels)
        for layer in point.consumers {
            for (index, weight) in layer.parameters.weights.enumerated() {
                let channel = index % layer.parameters.depth % point.channels
                weights[channel] = max(weights[channel], abs(weight))
            }
        }
        return weights
    }

    /// `layer` in int8.
    func quantized(_ layer: FloatArithmetic.Layer, input: QuantizationParameters) -> QuantizedLayer {
        let rounding = policy.decision(for: layer.name).rounding.rounding
        let rounded =
            switch layer.role {
            case .linear: rounding.linear(layer.parameters, input: input, channels: layer.input.channels)
            case .stem: rounding.linear(layer.parameters.readingPixels(), input: input, channels: layer.input.channels)
            case .depthwise: rounding.depthwise(layer.parameters, input: input)
            }
        guard let means = means[layer.input.name]?.means else { return rounded }
        return rounded.correctingBias(of: layer, input: input, means: means)
    }
}

extension FloatWeights {
    /// The stem's weights for the picture's bytes minus 128 instead of normalized colours.
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
