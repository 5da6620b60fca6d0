/// The numbers that define one FC-CLIP network: a ConvNeXt CLIP and the segmentation head trained on it.
///
/// `quantize` derives them from a checkpoint's tensor shapes; the runtime reads them from the model file.
public struct Architecture: Equatable, Sendable {
    /// Blocks in each of the four backbone stages.
    public let depths: [Int]
    /// Channels of the four backbone stages, whose maps have strides 4, 8, 16 and 32.
    public let dims: [Int]
    /// Width of CLIP's joint embedding of pictures and texts.
    public let embedding: Int
    /// Hidden width of CLIP's visual head; 0 where the head is a single projection without bias.
    public let visualHidden: Int

    /// Channels inside the segmentation head.
    public let hidden: Int
    /// Attention heads in the segmentation head.
    public let heads: Int
    /// Sampling points of each head on each of the `levels` maps.
    public let points: Int
    public let encoderLayers: Int
    public let encoderFeedForward: Int
    public let decoderLayers: Int
    public let decoderFeedForward: Int
    public let queries: Int

    public let text: TextArchitecture

    /// Maps that the pixel decoder's encoder attends to: strides 32, 16 and 8.
    public static let levels = 3
    /// Groups of every GroupNorm of the pixel decoder.
    public static let groups = 32

    /// Epsilon of the backbone's LayerNorms. timm gives the xxlarge ConvNeXt, known by its 384 channels, another one.
    public var backboneEpsilon: Float { dims[0] == 384 ? 1e-5 : 1e-6 }

    public init(
        depths: [Int], dims: [Int], embedding: Int, visualHidden: Int,
        hidden: Int, heads: Int, points: Int,
        encoderLayers: Int, encoderFeedForward: Int, decoderLayers: Int, decoderFeedForward: Int, queries: Int,
        text: TextArchitecture
    ) {
        self.depths = depths
        self.dims = dims
        self.embedding = embedding
        self.visualHidden = visualHidden
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
}

/// The numbers that define CLIP's text encoder.
public struct TextArchitecture: Equatable, Sendable {
    public let width: Int
    public let layers: Int
    /// Tokens that it knows.
    public let vocabulary: Int
    /// Longest text in tokens, start and end included.
    public let context: Int

    /// CLIP gives each attention head 64 channels.
    public var heads: Int { width / 64 }

    public init(width: Int, layers: Int, vocabulary: Int, context: Int) {
        self.width = width
        self.layers = layers
        self.vocabulary = vocabulary
        self.context = context
    }
}
