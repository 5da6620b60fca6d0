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
    public private(set) var arithmetic: FloatArithmetic
    public private(set) var network: SegmentationNetwork<FloatArithmetic>
    public let preprocessing: Preprocessing
    public internal(set) var policy: QuantizationPolicy
    /// Names of the pictures seen, in order, and a hash over their pixels.
    public private(set) var pictures: [String] = []
    public private(set) var pictureHash: UInt64 = 0
    /// By the point's name: values that methods fit to, and those that the methods are compared on, which are then added.
    var observers: [String: HistogramObserver] = [:]
    var heldOutObservers: [String: HistogramObserver] = [:]
    /// By what the names of its points begin with: operands of each product of activations.
    var products: [String: [ProductSample]] = [:]
    /// By the layer's name: rows of its input.
    var samples: [String: LayerSample] = [:]
    /// By the point's and by the layer's name: what was decided.
    var chosenScales: [String: QuantizationParameters] = [:]
    public internal(set) var decisions: [String: QuantizationDecision] = [:]
    /// By the layer's name, after `decide`.
    public internal(set) var quantizedLayers: [String: QuantizedLayer] = [:]
    /// A classifier of one name: activations do not depend on the vocabulary.
    let anyClassifier: Classifier

    /// - Parameter rewrites: of the network from the beginning; `observe` finds others.
    public init(
        _ checkpoint: Checkpoint, preprocessing: Preprocessing, policy: QuantizationPolicy = .standard, rewrites: Rewrites = Rewrites(), threads: Int
    ) throws(Fault) {
        self.checkpoint = checkpoint
        self.preprocessing = preprocessing
        self.policy = policy
        let architecture = try checkpoint.architecture()
        arithmetic = FloatArithmetic(FoldedCheckpoint(checkpoint, architecture, rewrites: rewrites), threads: threads)
        let name = NameEmbeddings(rows: 1, columns: architecture.embedding)
        name.withValues { $0.base.update(repeating: 1 / Float($0.count).squareRoot(), count: $0.count) }
        anyClassifier = Classifier(embeddings: name, names: [0..<1], isSeen: [true], isThing: [true])
        network = try SegmentationNetwork(arithmetic, architecture)
        for layer in arithmetic.layers where layer.role == .depthwise && policy.decision(for: layer.name).precision == .float32 {
            throw Fault("\(layer.name): depthwise convolutions are int8; they cannot stay in float32")
        }
    }

    /// What was rewritten.
    public var rewrites: Rewrites { arithmetic.source.rewrites }

    /// Memory for rows of all layers' inputs, a third of which is held out.
    private static let sampleBytes = 1 << 30
    /// Of so many pictures one is held out: methods are judged on its values, not fitted to them.
    private static let heldOutOf = 4
    /// Pictures that are run for equalization, before the network that is observed is known.
    private static let equalizationPictures = 4
    /// Samples of each product.
    private static let productSamples = 6

    /// Observes every picture of `paths`, the first ones twice; `progress` gets the number of runs of the network done and that of all.
    public func observe(_ paths: [String], progress: (Int, Int) -> Void) throws(Fault) {
        // What equalization needs varies little between pictures.
        let first = Array(paths.prefix(Self.equalizationPictures))
        let runs = first.count + paths.count
        try equalize(first) { progress($0, runs) }

        for point in arithmetic.points {
            observers[point.name] = HistogramObserver(channels: point.channels, pool: arithmetic.pool)
            heldOutObservers[point.name] = HistogramObserver(channels: point.channels, pool: arithmetic.pool)
        }
        let sampled = arithmetic.layers.filter { $0.role == .linear }
        let depth = sampled.reduce(0) { $0 + $1.parameters.depth }
        let rows = min(max(Self.sampleBytes / (6 * depth), 64), 1024)
        for (index, layer) in sampled.enumerated() {
            samples[layer.name] = LayerSample(depth: layer.parameters.depth, capacity: rows, seed: UInt64(index))
        }
        var isHeldOut = false
        arithmetic.observe = { [self] point, values in (isHeldOut ? heldOutObservers : observers)[point.name]?.observe(values) }
        arithmetic.audit = { [self] run in
            guard let sample = samples[run.layer.name] else { return }
            if isHeldOut || paths.count == 1 { sample.heldOut.add(run.input) }
            if !isHeldOut { sample.fitted.add(run.input) }
        }
        arithmetic.observeProduct = { [self] run in if isHeldOut || paths.count == 1 { keep(run) } }
        defer { stopObserving() }
        try run(paths) { index, pixels, count in
            isHeldOut = index % Self.heldOutOf == 1
            pictureHash = pictureHash &* 31 &+ hash_xxh3(pixels, count)
        } done: { index in
            pictures.append(URL(filePath: paths[index]).lastPathComponent)
            progress(first.count + index + 1, runs)
        }
        for point in arithmetic.points {
            guard let observer = observers[point.name], observer.isFinite, heldOutObservers[point.name]?.isFinite ?? true else {
                throw Fault("\(point.name): values on the calibration pictures are not finite numbers; the checkpoint is damaged or not an FC-CLIP")
            }
        }
    }

    /// Rewrites the network by what the pictures of `paths` show.
    private func equalize(_ paths: [String], progress: (Int) -> Void) throws(Fault) {
        var ranges: [String: HistogramObserver] = [:]
        for point in arithmetic.points {
            if case .kernel = point.readers { ranges[point.name] = HistogramObserver(channels: point.channels, pool: arithmetic.pool) }
        }
        arithmetic.observe = { point, values in ranges[point.name]?.observe(values) }
        arithmetic.observeProduct = { [self] run in keep(run) }
        try run(paths) { _, _, _ in
        } done: {
            progress($0 + 1)
        }
        stopObserving()
        let magnitudes = ranges.mapValues { observer in zip(observer.least, observer.largest).map { max(abs($0), abs($1)) } }
        let rewrites = Equalization(magnitudes: magnitudes, architecture: network.architecture).rewrites(products: products)
        products = [:]
        guard rewrites != self.rewrites else { return }
        let (architecture, threads) = (network.architecture, arithmetic.pool.threads)
        arithmetic = FloatArithmetic(FoldedCheckpoint(checkpoint, architecture, rewrites: rewrites), threads: threads)
        network = try SegmentationNetwork(arithmetic, architecture)
    }

    /// The pictures of `paths`, on a thread each.
    private func decode(_ paths: ArraySlice<String>) -> [Result<Picture, Fault>] {
        let paths = Array(paths)
        var pictures = [Result<Picture, Fault>?](repeating: nil, count: paths.count)
        pictures.withUnsafeMutableBufferPointer { pictures in
            arithmetic.pool.ranges(paths.count) { range in
                for index in range {
                    do throws(Fault) {
                        pictures[index] = .success(try Picture.read(path: paths[index]))
                    } catch {
                        pictures[index] = .failure(error)
                    }
                }
            }
        }
        return pictures.compactMap(\.self)
    }

    private func stopObserving() {
        arithmetic.observe = nil
        arithmetic.audit = nil
        arithmetic.observeProduct = nil
    }

    private func keep(_ run: FloatArithmetic.ProductRun) {
        if products[run.name, default: []].count < Self.productSamples { products[run.name, default: []].append(ProductSample(run)) }
    }

    /// Runs the network on all pictures of `paths`. - Parameter before: gets the index, the resized picture and the count of its bytes.
    private func run(_ paths: [String], before: (Int, UnsafePointer<UInt8>, Int) -> Void, done: (Int) -> Void) throws(Fault) {
        let preprocessor = Preprocessor(preprocessing)
        var decoded: [Result<Picture, Fault>] = []
        for (index, path) in paths.enumerated() {
            if decoded.isEmpty { decoded = decode(paths[index...].prefix(arithmetic.pool.threads)).reversed() }
            let picture = try decoded.removeLast().get()
            if let warning = picture.warning { Log.write("\(path): \(warning)") }
            preprocessor.resize(picture)
            let size = preprocessor.resizedSize
            preprocessor.withResized { pixels in
                before(index, pixels, size.area * 3)
                network.run(pixels, size: size, padded: preprocessor.paddedSize, classifier: anyClassifier) { _ in }
            }
            done(index)
        }
    }
}

extension FloatWeights {
    /// The stem's weights for the picture's bytes minus 128 instead of normalized colours.
    func readingPixels() -> FloatWeights { converted(toPixels: true) }

    /// The reverse of `readingPixels`.
    func readingColours() -> FloatWeights { converted(toPixels: false) }

    private func converted(toPixels: Bool) -> FloatWeights {
        let mean = [PixelStatistics.mean.0, PixelStatistics.mean.1, PixelStatistics.mean.2].map(Double.init)
        let deviation = [PixelStatistics.deviation.0, PixelStatistics.deviation.1, PixelStatistics.deviation.2].map(Double.init)
        var result = self
        for column in 0..<columns {
            var shift = Double(bias[column])
            for position in 0..<depth {
                let weight = Double(weights[column * depth + position])
                let ofPixel = toPixels ? weight / deviation[position % 3] : weight
                result.weights[column * depth + position] = Float(toPixels ? ofPixel : weight * deviation[position % 3])
                shift += (toPixels ? 1 : -1) * ofPixel * (128 - mean[position % 3])
            }
            result.bias[column] = Float(shift)
        }
        return result
    }
}
