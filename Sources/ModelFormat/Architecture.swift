/// The numbers that define one FC-CLIP network: CLIP's picture and text encoders and the segmentation head trained on them.
///
/// `quantize` derives them from a checkpoint's tensor shapes; the runtime reads them from the model file (`Architecture+Keys.swift`).
public struct Architecture: Equatable, Sendable {
    /// CLIP's picture encoder. Its four stages give maps with strides 4, 8, 16 and 32.
    public enum Backbone: Equatable, Sendable {
        /// Blocks and channels of each stage.
        case convNeXt(depths: [Int], dims: [Int])
        /// CLIP's ModifiedResNet: bottlenecks of each stage, and the channels of the stem, of which the first stage has four times as many.
        case resNet(depths: [Int], width: Int)
    }

    /// Channels of a head of CLIP's attention pooling.
    public static let poolHeadWidth = 64

    /// How CLIP projects pooled picture features to its joint embedding of pictures and texts.
    public enum VisualHead: Equatable, Sendable {
        /// One layer without bias.
        case projection
        /// Two layers with `hidden` channels between them.
        case mlp(hidden: Int)
        /// Attention pooling: one query attends to the map's pixels, whose positions are learned on a square of `grid` x `grid`.
        case attentionPool(grid: Int)
    }

    public internal(set) var backbone: Backbone
    public internal(set) var visualHead: VisualHead
    /// Width of CLIP's joint embedding of pictures and texts.
    public internal(set) var embedding: Int

    /// Channels inside the segmentation head.
    public internal(set) var hidden: Int
    /// Attention heads in the segmentation head.
    public internal(set) var heads: Int
    /// Sampling points of each head on each of the `levels` maps.
    public internal(set) var points: Int
    public internal(set) var encoderLayers: Int
    public internal(set) var encoderFeedForward: Int
    public internal(set) var decoderLayers: Int
    public internal(set) var decoderFeedForward: Int
    public internal(set) var queries: Int

    public internal(set) var text: TextArchitecture

    /// Maps that the pixel decoder's encoder attends to: strides 32, 16 and 8.
    public static let levels = 3
    /// Groups of every GroupNorm of the pixel decoder.
    public static let groups = 32

    public init(
        backbone: Backbone, visualHead: VisualHead, embedding: Int,
        hidden: Int, heads: Int, points: Int,
        encoderLayers: Int, encoderFeedForward: Int, decoderLayers: Int, decoderFeedForward: Int, queries: Int,
        text: TextArchitecture
    ) {
        self.backbone = backbone
        self.visualHead = visualHead
        self.embedding = embedding
        self.hidden = hidden
        self.heads = heads
        self.points = points
        self.encoderLayers = encoderLayers
        self.encoderFeedForward = encoderFeedForward
        self.decoderLayers = decoderLayers
        self.decoderFeedForward = decoderFeedForward
        self.queries = queries
        self.text = text
    }

    // MARK: - What holds for any backbone and visual head

    /// Blocks in each of the four backbone stages.
    public var depths: [Int] { backbone.depths }
    /// Channels of the four backbone stages.
    public var dims: [Int] { backbone.dims }

    /// Epsilon of the backbone's normalizations and of the visual head's.
    public var backboneEpsilon: Float {
        switch backbone {
        // timm gives the xxlarge ConvNeXt, known by its 384 channels, another one.
        case .convNeXt(_, let dims): dims[0] == 384 ? 1e-5 : 1e-6
        case .resNet: 1e-5
        }
    }

    /// Hidden width of CLIP's visual head; 0 where it has no hidden layer.
    public var visualHidden: Int {
        switch visualHead {
        case .projection, .attentionPool: 0
        case .mlp(let hidden): hidden
        }
    }
}

/// The numbers that define CLIP's text encoder.
public struct TextArchitecture: Equatable, Sendable {
    /// The function between the two layers of a block's feed-forward network.
    public enum Activation: String, CaseIterable, Sendable {
        /// x Phi(x), exact.
        case gelu
        /// x / (1 + e^(-1.702 x)), OpenAI's approximation.
        case quickGELU = "quickgelu"
    }

    public internal(set) var width: Int
    public internal(set) var layers: Int
    /// Tokens that it knows.
    public internal(set) var vocabulary: Int
    /// Longest text in tokens, start and end included.
    public internal(set) var context: Int
    public internal(set) var activation: Activation

    /// CLIP gives each attention head 64 channels.
    public var heads: Int { width / 64 }

    public init(width: Int, layers: Int, vocabulary: Int, context: Int, activation: Activation = .gelu) {
        self.width = width
        self.layers = layers
        self.vocabulary = vocabulary
        self.context = context
        self.activation = activation
    }
}

extension Architecture.Backbone {
    /// Blocks in each of the four stages.
    public var depths: [Int] {
        switch self {
        case .convNeXt(let depths, _), .resNet(let depths, _): depths
        }
    }

    /// Channels of the four stages.
    public var dims: [Int] {
        switch self {
        case .convNeXt(_, let dims): dims
        // A bottleneck gives four times its inner channels, which double from stage to stage.
        case .resNet(_, let width): (0..<4).map { 4 * width << $0 }
        }
    }
}
