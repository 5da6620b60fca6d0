import ModelFormat
import System

/// The one table of upstream's tensor names: for every layer and parameter of the network its name here, the checkpoint's keys, their
/// shapes, and what is folded in when it is read.
///
/// It follows from the architecture. `Checkpoint.architecture()` checks every tensor against `shapes`; `FoldedCheckpoint` and the text
/// encoder look up what they read by the name here.
public struct UpstreamNames {
    /// How int8 must treat a layer.
    public enum Role: Sendable {
        /// A linear layer, or a convolution flattened to one.
        case linear
        /// A depthwise convolution, which never mixes channels.
        case depthwise
        /// The convolution that reads the picture's bytes.
        case stem
    }

    /// What reading a layer folds into its weights and bias.
    public enum Fold: Sendable {
        /// Weight and bias of a normalization of the layer's input: the key without `.weight` and `.bias`.
        case inputNorm(String)
        /// A factor for each of the layer's results (ConvNeXt's layer scale).
        case outputScale(String)
        /// BatchNorm of the layer's results with the statistics of its training: the key without `.weight`, `.bias`, `.running_mean`
        /// and `.running_var`.
        case outputBatchNorm(String)
    }

    /// Weights, a bias, and what is folded into them.
    public struct Layer: Sendable {
        public let weight: String
        /// [output, input], with the kernel's height and width behind them for convolutions.
        public let shape: [Int]
        /// Nil where the layer has none.
        public let bias: String?
        public let role: Role
        /// Which third of packed weights and bias (`in_proj_weight`): 0 query, 1 key, 2 value; nil for all of them.
        public let third: Int?
        /// Whether the layer multiplies by the transposed weights.
        public let isTransposed: Bool
        /// In the order in which they are applied.
        public let folds: [Fold]
    }

    /// A table of float32 values.
    public struct Parameter: Sendable {
        public let key: String
        /// Whether it is brought to length 1.
        public let isUnit: Bool
    }

    /// Shape of every tensor by upstream's key, outermost dimension first.
    public private(set) var shapes: [String: [Int]] = [:]
    /// By their names here.
    public private(set) var layers: [String: Layer] = [:]
    public private(set) var parameters: [String: Parameter] = [:]

    /// Every tensor of the one-file layout (the original's PyTorch modules; text encoder included).
    public init(_ architecture: Architecture) {
        addText(architecture.text, embedding: architecture.embedding)
        switch architecture.backbone {
        case .convNeXt(let depths, let dims): addConvNeXt(depths: depths, dims: dims)
        case .resNet(let depths, let width): addResNet(depths: depths, width: width)
        }
        addVisualHead(architecture)
        addPixelDecoder(architecture)
        addMaskDecoder(architecture)
    }

    /// Every tensor of the text encoder.
    public init(_ text: TextArchitecture, embedding: Int) {
        addText(text, embedding: embedding)
    }

    /// - Throws: when the network has no layer called `name`.
    public func layer(_ name: String) throws(Fault) -> Layer {
        guard let layer = layers[name] else { throw Fault("\(name): the checkpoint's layout has no such layer") }
        return layer
    }

    /// - Throws: when the network has no parameter called `name`.
    public func parameter(_ name: String) throws(Fault) -> Parameter {
        guard let parameter = parameters[name] else { throw Fault("\(name): the checkpoint's layout has no such layer") }
        return parameter
    }

    // MARK: - Prefixes and keys that are needed before the architecture is known

    static let clip = "backbone.clip_model."
    static let visual = clip + "visual."
    /// ConvNeXt's layers; a ResNet's lie in `visual` itself.
    static let trunk = visual + "trunk."
    static let attentionPool = visual + "attnpool."
    static func resNetStem(_ index: Int) -> String { visual + "conv\(index + 1)" }
    static func resNetStage(_ index: Int) -> String { visual + "layer\(index + 1)." }
    static let visualHidden = visual + "head.mlp.fc1"
    static let poolPositions = attentionPool + "positional_embedding"
    static let textBlocks = clip + "transformer.resblocks."
    static let textNorm = clip + "ln_final"
    static let tokenEmbedding = clip + "token_embedding.weight"
    static let positionalEmbedding = clip + "positional_embedding"
    static let textProjection = clip + "text_projection"
    static let clipLogitScale = clip + "logit_scale"
    static let head = "sem_seg_head."
    static let pixelDecoder = head + "pixel_decoder."
    static let encoderLayers = pixelDecoder + "transformer.encoder.layers."
    static let maskDecoder = head + "predictor."
    static let feedForwardLayers = maskDecoder + "transformer_ffn_layers."
    static let queries = maskDecoder + "query_feat.weight"
    static let decoderNorm = maskDecoder + "decoder_norm"
    static let voidEmbedding = "void_embedding.weight"

    // MARK: - Kinds of rows

    private mutating func parameter(_ name: String, _ key: String, _ shape: [Int], isUnit: Bool = false) {
        shapes[key] = shape
        parameters[name] = Parameter(key: key, isUnit: isUnit)
    }

    /// LayerNorm or GroupNorm that stays a step of its own.
    private mutating func norm(_ name: String, _ key: String, _ width: Int) {
        parameter(name + ".weight", key + ".weight", [width])
        parameter(name + ".bias", key + ".bias", [width])
    }

    /// Linear layer or, with a kernel, convolution.
    private mutating func linear(
        _ name: String, _ key: String, _ input: Int, _ output: Int, kernel: [Int] = [], bias: Bool = true, role: Role = .linear, folds: [Fold] = [],
        isTransposed: Bool = false
    ) {
        let shape = [output, input] + kernel
        shapes[key + ".weight"] = shape
        if bias { shapes[key + ".bias"] = [output] }
        for fold in folds {
            switch fold {
            case .inputNorm(let norm):
                shapes[norm + ".weight"] = [input]
                shapes[norm + ".bias"] = [input]
            case .outputScale(let scale): shapes[scale] = [output]
            case .outputBatchNorm(let norm):
                for part in [".weight", ".bias", ".running_mean", ".running_var"] { shapes[norm + part] = [output] }
            }
        }
        layers[name] = Layer(
            weight: key + ".weight", shape: shape, bias: bias ? key + ".bias" : nil, role: role, third: nil, isTransposed: isTransposed, folds: folds)
    }

    /// Queries, keys and values of PyTorch's MultiheadAttention, which packs them in one matrix: one layer each, or all in one.
    private mutating func packedProjection(_ names: [String], _ key: String, _ width: Int) {
        shapes[key + ".in_proj_weight"] = [3 * width, width]
        shapes[key + ".in_proj_bias"] = [3 * width]
        for (index, name) in names.enumerated() {
            layers[name] = Layer(
                weight: key + ".in_proj_weight", shape: [3 * width, width], bias: key + ".in_proj_bias", role: .linear, third: names.count == 3 ? index : nil,
                isTransposed: false, folds: [])
        }
    }

    /// PyTorch's MultiheadAttention.
    private mutating func attention(_ name: String, _ key: String, _ width: Int) {
        packedProjection([name + ".query", name + ".key", name + ".value"], key, width)
        linear(name + ".output", key + ".out_proj", width, width)
    }

    // MARK: - The table

    private mutating func addText(_ text: TextArchitecture, embedding: Int) {
        let width = text.width
        parameter("text.token_embedding", Self.tokenEmbedding, [text.vocabulary, width])
        parameter("text.positional_embedding", Self.positionalEmbedding, [text.context, width])
        parameter("text.projection", Self.textProjection, [width, embedding])
        parameter("open_vocabulary.logit_scale", Self.clipLogitScale, [])
        norm("text.norm", Self.textNorm, width)
        for index in 0..<text.layers {
            let name = "text.block\(index)."
            let key = Self.textBlocks + "\(index)."
            norm(name + "attention_norm", key + "ln_1", width)
            packedProjection([name + "attention_input"], key + "attn", width)
            linear(name + "attention_output", key + "attn.out_proj", width, width)
            norm(name + "feed_forward_norm", key + "ln_2", width)
            linear(name + "expand", key + "mlp.c_fc", width, 4 * width)
            linear(name + "project", key + "mlp.c_proj", 4 * width, width)
        }
    }

    /// CLIP's picture encoder.
    private mutating func addConvNeXt(depths: [Int], dims: [Int]) {
        linear("backbone.stem", Self.trunk + "stem.0", 3, dims[0], kernel: [4, 4], role: .stem)
        norm("backbone.stem_norm", Self.trunk + "stem.1", dims[0])
        for stage in 0..<4 {
            let width = dims[stage]
            let stageKey = Self.trunk + "stages.\(stage)."
            if stage > 0 {
                linear(
                    "backbone.stage\(stage).reduce", stageKey + "downsample.1", dims[stage - 1], width, kernel: [2, 2],
                    folds: [.inputNorm(stageKey + "downsample.0")])
            }
            for index in 0..<depths[stage] {
                let name = "backbone.stage\(stage).block\(index)."
                let key = stageKey + "blocks.\(index)."
                linear(name + "depthwise", key + "conv_dw", 1, width, kernel: [7, 7], role: .depthwise)
                linear(name + "expand", key + "mlp.fc1", width, 4 * width, folds: [.inputNorm(key + "norm")])
                linear(name + "project", key + "mlp.fc2", 4 * width, width, folds: [.outputScale(key + "gamma")])
            }
        }
    }

    /// CLIP's ModifiedResNet.
    private mutating func addResNet(depths: [Int], width: Int) {
        func convolution(_ name: String, _ key: String, _ norm: String, _ input: Int, _ output: Int, kernel: Int, role: Role = .linear) {
            linear(name, key, input, output, kernel: [kernel, kernel], bias: false, role: role, folds: [.outputBatchNorm(norm)])
        }
        for (index, (input, output)) in [(3, width / 2), (width / 2, width / 2), (width / 2, width)].enumerated() {
            convolution(
                "backbone.stem\(index)", Self.resNetStem(index), Self.visual + "bn\(index + 1)", input, output, kernel: 3, role: index == 0 ? .stem : .linear)
        }
        var channels = width
        for stage in 0..<4 {
            let inner = width << stage
            for index in 0..<depths[stage] {
                let name = "backbone.stage\(stage).block\(index)."
                let key = Self.resNetStage(stage) + "\(index)."
                convolution(name + "reduce", key + "conv1", key + "bn1", channels, inner, kernel: 1)
                convolution(name + "spatial", key + "conv2", key + "bn2", inner, inner, kernel: 3)
                convolution(name + "expand", key + "conv3", key + "bn3", inner, 4 * inner, kernel: 1)
                if index == 0 { convolution(name + "shortcut", key + "downsample.0", key + "downsample.1", channels, 4 * inner, kernel: 1) }
                channels = 4 * inner
            }
        }
    }

    /// CLIP's projection of pooled features. ConvNeXt's LayerNorm comes after pooling.
    private mutating func addVisualHead(_ architecture: Architecture) {
        let channels = architecture.dims[3]
        let norm = Fold.inputNorm(Self.trunk + "head.norm")
        switch architecture.visualHead {
        case .mlp(let hidden):
            linear("open_vocabulary.expand", Self.visualHidden, channels, hidden, folds: [norm])
            linear("open_vocabulary.project", Self.visual + "head.mlp.fc2", hidden, architecture.embedding, bias: false)
        case .attentionPool(let grid):
            parameter("open_vocabulary.positions", Self.poolPositions, [grid * grid + 1, channels])
            linear("open_vocabulary.query", Self.attentionPool + "q_proj", channels, channels)
            // Only used on the query's side; its bias adds the same to the scores of all keys, which softmax takes out again.
            linear("open_vocabulary.key", Self.attentionPool + "k_proj", channels, channels, isTransposed: true)
            linear("open_vocabulary.value", Self.attentionPool + "v_proj", channels, channels)
            // The bias stays apart: the layer's input has a scale for each row.
            linear("open_vocabulary.project", Self.attentionPool + "c_proj", channels, architecture.embedding, bias: false)
            parameter("open_vocabulary.project_bias", Self.attentionPool + "c_proj.bias", [architecture.embedding])
        case .projection:
            linear("open_vocabulary.project", Self.visual + "head.proj", channels, architecture.embedding, bias: false, folds: [norm])
        }
        // Classifiers compare directions only.
        parameter("open_vocabulary.void", Self.voidEmbedding, [1, architecture.embedding], isUnit: true)
    }

    private mutating func addPixelDecoder(_ architecture: Architecture) {
        let hidden = architecture.hidden
        // From the coarsest map to the finest.
        for (index, width) in architecture.dims.dropFirst().reversed().enumerated() {
            linear("pixel_decoder.input\(index)", Self.pixelDecoder + "input_proj.\(index).0", width, hidden, kernel: [1, 1])
            norm("pixel_decoder.input\(index)_norm", Self.pixelDecoder + "input_proj.\(index).1", hidden)
        }
        parameter("pixel_decoder.level_embedding", Self.pixelDecoder + "transformer.level_embed", [Architecture.levels, hidden])
        let samples = architecture.heads * Architecture.levels * architecture.points
        for index in 0..<architecture.encoderLayers {
            let name = "pixel_decoder.layer\(index)."
            let key = Self.encoderLayers + "\(index)."
            linear(name + "offsets", key + "self_attn.sampling_offsets", hidden, 2 * samples)
            linear(name + "weights", key + "self_attn.attention_weights", hidden, samples)
            linear(name + "value", key + "self_attn.value_proj", hidden, hidden)
            linear(name + "output", key + "self_attn.output_proj", hidden, hidden)
            norm(name + "attention_norm", key + "norm1", hidden)
            linear(name + "expand", key + "linear1", hidden, architecture.encoderFeedForward)
            linear(name + "project", key + "linear2", architecture.encoderFeedForward, hidden)
            norm(name + "perceptron_norm", key + "norm2", hidden)
        }
        linear("pixel_decoder.features", Self.pixelDecoder + "mask_features", hidden, hidden, kernel: [1, 1])
        linear("pixel_decoder.lateral", Self.pixelDecoder + "adapter_1", architecture.dims[0], hidden, kernel: [1, 1], bias: false)
        norm("pixel_decoder.lateral_norm", Self.pixelDecoder + "adapter_1.norm", hidden)
        linear("pixel_decoder.smooth", Self.pixelDecoder + "layer_1", hidden, hidden, kernel: [3, 3], bias: false)
        norm("pixel_decoder.smooth_norm", Self.pixelDecoder + "layer_1.norm", hidden)
    }

    private mutating func addMaskDecoder(_ architecture: Architecture) {
        let hidden = architecture.hidden
        for index in 0..<architecture.decoderLayers {
            let name = "mask_decoder.layer\(index)."
            let cross = Self.maskDecoder + "transformer_cross_attention_layers.\(index)."
            attention(name + "cross", cross + "multihead_attn", hidden)
            norm(name + "cross_norm", cross + "norm", hidden)
            let own = Self.maskDecoder + "transformer_self_attention_layers.\(index)."
            attention(name + "self", own + "self_attn", hidden)
            norm(name + "self_norm", own + "norm", hidden)
            let feedForward = Self.feedForwardLayers + "\(index)."
            linear(name + "expand", feedForward + "linear1", hidden, architecture.decoderFeedForward)
            linear(name + "project", feedForward + "linear2", architecture.decoderFeedForward, hidden)
            norm(name + "perceptron_norm", feedForward + "norm", hidden)
        }
        norm("mask_decoder.norm", Self.decoderNorm, hidden)
        parameter("mask_decoder.queries", Self.queries, [architecture.queries, hidden])
        parameter("mask_decoder.query_positions", Self.maskDecoder + "query_embed.weight", [architecture.queries, hidden])
        parameter("mask_decoder.level_embedding", Self.maskDecoder + "level_embed.weight", [Architecture.levels, hidden])
        parameter("mask_decoder.logit_scale", Self.maskDecoder + "logit_scale", [])
        linear("mask_decoder.pool", Self.maskDecoder + "_mask_pooling_proj.1", hidden, hidden, folds: [.inputNorm(Self.maskDecoder + "_mask_pooling_proj.0")])
        for index in 0..<3 {
            linear("mask_decoder.mask_embedding\(index)", Self.maskDecoder + "mask_embed.layers.\(index)", hidden, hidden)
            linear(
                "mask_decoder.class_embedding\(index)", Self.maskDecoder + "class_embed.layers.\(index)", hidden,
                index == 2 ? architecture.embedding : hidden)
        }
    }
}

extension Architecture {
    /// Every tensor of the one-file layout with its shape.
    public var layout: [String: [Int]] { UpstreamNames(self).shapes }
}

extension TextArchitecture {
    /// Every tensor of the text encoder with its shape, under the names of the one-file layout.
    public func layout(embedding: Int) -> [String: [Int]] { UpstreamNames(self, embedding: embedding).shapes }
}
