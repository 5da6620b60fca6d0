import Checkpoint
import Kernels
import ModelFormat
import System

/// Weights of a linear layer, `columns` x `depth` row-major, and a bias of `columns` values.
public struct FloatWeights {
    public var weights: [Float]
    public var bias: [Float]
    public let columns: Int
    public let depth: Int
}

/// A checkpoint's parameters under the network's names, with what can be folded folded in:
/// LayerNorm's affine part into the layer behind it, ConvNeXt's layer scale into `project`.
///
/// Convolutions become linear layers whose depth is ordered (kernel row, kernel column, channel).
public final class FoldedCheckpoint {
    public let checkpoint: Checkpoint
    public let architecture: Architecture

    private static let visual = "backbone.clip_model.visual."
    private static let pixelDecoder = "sem_seg_head.pixel_decoder."
    private static let maskDecoder = "sem_seg_head.predictor."

    public init(_ checkpoint: Checkpoint, _ architecture: Architecture) {
        self.checkpoint = checkpoint
        self.architecture = architecture
    }

    /// Where a layer's parameters stand in the checkpoint.
    private struct Source {
        /// Key without `.weight` and `.bias`.
        var key: String
        /// Third of a packed attention projection (`in_proj_weight`): 0 query, 1 key, 2 value.
        var third: Int?
        /// LayerNorm whose affine part is folded in.
        var norm: String?
        /// Per-channel factor of the result.
        var scale: String?
        var hasBias = true
    }

    // MARK: - Layers

    public func linear(_ name: String) throws(Fault) -> FloatWeights {
        let source = try source(of: name)
        var result = try load(source)
        if let norm = source.norm {
            result.fold(norm: try vector(norm + ".weight"), shift: try vector(norm + ".bias"))
        }
        if let scale = source.scale { result.scale(by: try vector(scale)) }
        return result
    }

    /// Depthwise 7x7: weights ordered [49][channels].
    public func depthwise(_ name: String) throws(Fault) -> FloatWeights {
        let key = try block(name) + "conv_dw"
        let stored = try vector(key + ".weight")
        let bias = try vector(key + ".bias")
        let channels = bias.count
        var weights = [Float](repeating: 0, count: stored.count)
        for channel in 0..<channels {
            for tap in 0..<49 { weights[tap * channels + channel] = stored[channel * 49 + tap] }
        }
        return FloatWeights(weights: weights, bias: bias, columns: channels, depth: 49)
    }

    /// A table of floats, row-major.
    public func parameter(_ name: String) throws(Fault) -> [Float] {
        let values = try vector(try parameterKey(name))
        guard name == "open_vocabulary.void" else { return values }
        // Classifiers compare directions only.
        let norm = max(values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot(), 1e-12)
        return values.map { Float(Double($0) / norm) }
    }

    // MARK: - Reading

    private func vector(_ key: String) throws(Fault) -> [Float] {
        let tensor = try checkpoint.tensor(key)
        let values = tensor.floats()
        tensor.release()
        guard values.allSatisfy({ $0.isFinite }) else { throw Fault("\(key): holds a value that is not a finite number") }
        return values
    }

    private func load(_ source: Source) throws(Fault) -> FloatWeights {
        let key = source.key
        if let third = source.third {
            let weights = try vector(key + "in_proj_weight")
            let bias = try vector(key + "in_proj_bias")
            let columns = bias.count / 3
            let depth = weights.count / bias.count
            return FloatWeights(
                weights: Array(weights[third * columns * depth..<(third + 1) * columns * depth]),
                bias: Array(bias[third * columns..<(third + 1) * columns]), columns: columns, depth: depth)
        }
        let shape = try checkpoint.tensor(key + ".weight").shape
        let stored = try vector(key + ".weight")
        let columns = shape[0]
        let depth = stored.count / max(columns, 1)
        let bias = source.hasBias ? try vector(key + ".bias") : [Float](repeating: 0, count: columns)
        guard shape.count == 4, shape[2] * shape[3] > 1 else { return FloatWeights(weights: stored, bias: bias, columns: columns, depth: depth) }
        let channels = shape[1]
        let taps = shape[2] * shape[3]
        var weights = [Float](repeating: 0, count: stored.count)
        for column in 0..<columns {
            for channel in 0..<channels {
                for tap in 0..<taps {
                    weights[column * depth + tap * channels + channel] = stored[column * depth + channel * taps + tap]
                }
            }
        }
        return FloatWeights(weights: weights, bias: bias, columns: columns, depth: depth)
    }

    // MARK: - Names

    /// `backbone.stage2.block5.expand` to upstream's prefix of that block.
    private func block(_ name: String) throws(Fault) -> String {
        let parts = name.split(separator: ".")
        guard parts.count >= 3, let stage = Int(parts[1].dropFirst(5)), let index = Int(parts[2].dropFirst(5)) else { throw unknown(name) }
        return Self.visual + "trunk.stages.\(stage).blocks.\(index)."
    }

    private func unknown(_ name: String) -> Fault {
        Fault("\(name): the checkpoint's layout has no such layer")
    }

    /// `layer3` and `input3_norm` to 3.
    private func index(_ part: Substring) -> Int? {
        Int(part.drop { !$0.isNumber }.prefix { $0.isNumber })
    }

    private func source(of name: String) throws(Fault) -> Source {
        let parts = name.split(separator: ".")
        let last = String(parts[parts.count - 1])
        switch parts[0] {
        case "backbone" where last == "stem": return Source(key: Self.visual + "trunk.stem.0")
        case "backbone" where last == "reduce":
            let stage = Self.visual + "trunk.stages.\(index(parts[1]) ?? 0).downsample."
            return Source(key: stage + "1", norm: stage + "0")
        case "backbone" where last == "expand":
            let block = try block(name)
            return Source(key: block + "mlp.fc1", norm: block + "norm")
        case "backbone" where last == "project":
            let block = try block(name)
            return Source(key: block + "mlp.fc2", scale: block + "gamma")
        case "pixel_decoder": return try pixelDecoderSource(name, parts, last)
        case "mask_decoder": return try maskDecoderSource(name, parts, last)
        case "open_vocabulary":
            let norm = Self.visual + "trunk.head.norm"
            if last == "expand" { return Source(key: Self.visual + "head.mlp.fc1", norm: norm) }
            return architecture.visualHidden > 0
                ? Source(key: Self.visual + "head.mlp.fc2", hasBias: false)
                : Source(key: Self.visual + "head.proj", norm: norm, hasBias: false)
        default: throw unknown(name)
        }
    }

    private func pixelDecoderSource(_ name: String, _ parts: [Substring], _ last: String) throws(Fault) -> Source {
        let prefix = Self.pixelDecoder
        if parts.count == 2 {
            switch last {
            case "lateral": return Source(key: prefix + "adapter_1", hasBias: false)
            case "smooth": return Source(key: prefix + "layer_1", hasBias: false)
            case "features": return Source(key: prefix + "mask_features")
            default: return Source(key: prefix + "input_proj.\(index(parts[1]) ?? 0).0")
            }
        }
        let layer = prefix + "transformer.encoder.layers.\(index(parts[1]) ?? 0)."
        switch last {
        case "value": return Source(key: layer + "self_attn.value_proj")
        case "offsets": return Source(key: layer + "self_attn.sampling_offsets")
        case "weights": return Source(key: layer + "self_attn.attention_weights")
        case "output": return Source(key: layer + "self_attn.output_proj")
        case "expand": return Source(key: layer + "linear1")
        case "project": return Source(key: layer + "linear2")
        default: throw unknown(name)
        }
    }

    private func maskDecoderSource(_ name: String, _ parts: [Substring], _ last: String) throws(Fault) -> Source {
        let prefix = Self.maskDecoder
        if parts.count == 2 {
            if last == "pool" { return Source(key: prefix + "_mask_pooling_proj.1", norm: prefix + "_mask_pooling_proj.0") }
            let kind = last.hasPrefix("class_embedding") ? "class_embed" : "mask_embed"
            return Source(key: prefix + "\(kind).layers.\(index(parts[1]) ?? 0)")
        }
        let number = index(parts[1]) ?? 0
        guard parts.count == 4 else {
            return Source(key: prefix + "transformer_ffn_layers.\(number)." + (last == "expand" ? "linear1" : "linear2"))
        }
        let attention =
            parts[2] == "cross"
            ? prefix + "transformer_cross_attention_layers.\(number).multihead_attn."
            : prefix + "transformer_self_attention_layers.\(number).self_attn."
        switch last {
        case "query": return Source(key: attention, third: 0)
        case "key": return Source(key: attention, third: 1)
        case "value": return Source(key: attention, third: 2)
        case "output": return Source(key: attention + "out_proj")
        default: throw unknown(name)
        }
    }

    private func parameterKey(_ name: String) throws(Fault) -> String {
        let fixed = [
            "pixel_decoder.level_embedding": Self.pixelDecoder + "transformer.level_embed",
            "mask_decoder.queries": Self.maskDecoder + "query_feat.weight",
            "mask_decoder.query_positions": Self.maskDecoder + "query_embed.weight",
            "mask_decoder.level_embedding": Self.maskDecoder + "level_embed.weight",
            "mask_decoder.logit_scale": Self.maskDecoder + "logit_scale",
            "open_vocabulary.logit_scale": "backbone.clip_model.logit_scale",
            "open_vocabulary.void": "void_embedding.weight",
        ]
        if let key = fixed[name] { return key }
        let parts = name.split(separator: ".")
        let kind = "." + parts[parts.count - 1]
        let number = parts.count > 1 ? index(parts[1]) ?? 0 : 0
        let encoder = Self.pixelDecoder + "transformer.encoder.layers.\(number)."
        switch (parts[0], parts[parts.count - 2]) {
        case ("backbone", "stem_norm"): return Self.visual + "trunk.stem.1" + kind
        case ("pixel_decoder", "attention_norm"): return encoder + "norm1" + kind
        case ("pixel_decoder", "perceptron_norm"): return encoder + "norm2" + kind
        case ("pixel_decoder", "lateral_norm"): return Self.pixelDecoder + "adapter_1.norm" + kind
        case ("pixel_decoder", "smooth_norm"): return Self.pixelDecoder + "layer_1.norm" + kind
        case ("pixel_decoder", _): return Self.pixelDecoder + "input_proj.\(number).1" + kind
        case ("mask_decoder", "norm"): return Self.maskDecoder + "decoder_norm" + kind
        case ("mask_decoder", "cross_norm"): return Self.maskDecoder + "transformer_cross_attention_layers.\(number).norm" + kind
        case ("mask_decoder", "self_norm"): return Self.maskDecoder + "transformer_self_attention_layers.\(number).norm" + kind
        case ("mask_decoder", "perceptron_norm"): return Self.maskDecoder + "transformer_ffn_layers.\(number).norm" + kind
        default: throw unknown(name)
        }
    }
}

extension FloatWeights {
    /// Folds y = W (x * norm + shift) + b; `norm` repeats along the depth, channels fastest.
    mutating func fold(norm: [Float], shift: [Float]) {
        for column in 0..<columns {
            var sum = 0.0
            for position in 0..<depth {
                let channel = position % norm.count
                sum += Double(weights[column * depth + position]) * Double(shift[channel])
                weights[column * depth + position] *= norm[channel]
            }
            bias[column] = Float(Double(bias[column]) + sum)
        }
    }

    /// Multiplies every column's result by its factor.
    mutating func scale(by factors: [Float]) {
        for column in 0..<columns {
            for position in 0..<depth { weights[column * depth + position] *= factors[column] }
            bias[column] *= factors[column]
        }
    }
}
