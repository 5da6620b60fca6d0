import Kernels
import ModelFormat

/// Finds the rewrites of a network that equalize the channels of products of activations, whose operands have one int8 scale for all
/// channels (arXiv 1906.04721, section 4.1, for the pairs of layers here).
struct Equalization {
    /// Largest magnitude of each channel by the point's name.
    let magnitudes: [String: [Float]]
    let architecture: Architecture

    /// - Parameter products: operands of products by the beginning of their points' names; they decide whether a rewrite is worth it.
    func rewrites(products: [String: [ProductSample]]) -> Rewrites {
        var rewrites = Rewrites()
        for index in 0..<architecture.encoderLayers {
            let name = "pixel_decoder.layer\(index)."
            if let factors = spread(name + "values") { rewrites.equalize(name + "value", factors, dividedBy: name + "output") }
        }
        for index in 0..<architecture.decoderLayers {
            for kind in ["cross.", "self."] {
                let name = "mask_decoder.layer\(index).\(kind)"
                if let factors = spread(name + "values") { rewrites.equalize(name + "value", factors, dividedBy: name + "output") }
                if let factors = balance(name), isBetter(products[name] ?? [], factors) {
                    rewrites.equalize(name + "query", factors, against: name + "key")
                }
            }
        }
        rewrites.rotatesMasks = isRotationBetter(products["mask_decoder."] ?? [])
        return rewrites
    }

    /// Factors that give all channels of `point` the same magnitude.
    private func spread(_ point: String) -> [Float]? {
        guard let own = magnitudes[point], let largest = own.max(), largest > 0, largest.isFinite else { return nil }
        return own.map { largest / max($0, largest * 1e-4) }
    }

    /// Factors of the queries that give each channel of queries and keys the same magnitude.
    private func balance(_ name: String) -> [Float]? {
        guard let queries = magnitudes[name + "queries"], let keys = magnitudes[name + "keys"], let query = queries.max(), let key = keys.max(),
            query > 0, key > 0, query.isFinite, key.isFinite
        else { return nil }
        return zip(queries, keys).map { (max($1, key * 1e-4) / max($0, query * 1e-4)).squareRoot() }
    }

    /// Noise of int8 with the ranges of the samples themselves.
    private func noise(_ samples: [ProductSample], _ rewrite: (ProductSample) -> (left: [Float], right: [Float])) -> Double {
        let changed = samples.map(rewrite)
        func scale(_ values: [[Float]]) -> QuantizationParameters {
            let low = min(values.lazy.compactMap { $0.min() }.min() ?? 0, 0)
            let high = max(values.lazy.compactMap { $0.max() }.max() ?? 0, 0)
            let scale = max(high - low, 1e-20) / 255
            return QuantizationParameters(scale: scale, zeroPoint: Int((-128 - low / scale).rounded()), factors: [])
        }
        let left = scale(changed.map(\.left))
        let right = scale(changed.map(\.right))
        return zip(samples, changed).reduce(0) { sum, pair in
            let (sample, own) = pair
            let rewritten = ProductSample(sample, left: own.left, right: own.right)
            return sum
                + rewritten.noise(left: left.applied(to: own.left, channels: sample.width), right: right.applied(to: own.right, channels: sample.width))
        }
    }

    private func isBetter(_ samples: [ProductSample], _ factors: [Float]) -> Bool {
        noise(samples) { sample in
            (
                sample.left.enumerated().map { $0.element * factors[$0.offset % sample.width] },
                sample.right.enumerated().map { $0.element / factors[$0.offset % sample.width] }
            )
        } <= noise(samples) { ($0.left, $0.right) }
    }

    private func isRotationBetter(_ samples: [ProductSample]) -> Bool {
        func rotated(_ values: [Float], _ width: Int) -> [Float] {
            stride(from: 0, to: values.count, by: width).flatMap { start in
                var row = Array(values[start..<start + width])
                MaskRotation.rotate(&row)
                return row
            }
        }
        return noise(samples) { (rotated($0.left, $0.width), rotated($0.right, $0.width)) } < noise(samples) { ($0.left, $0.right) }
    }
}
