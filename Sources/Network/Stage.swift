import ModelFormat

/// One step of the network: reads some matrices of an `Activations` and writes others.
///
/// `order(_:)` is the only place that holds the network's order. `SegmentationNetwork.perform(_:_:)` performs a stage.
public enum Stage: Equatable, Sendable {
    /// Pixels to the backbone's first map.
    case stem
    /// Stage 0...3 of the backbone: `maps[index]`.
    case backbone(Int)
    /// Maps of strides 32, 16 and 8 to `tokens`.
    case inputProjections
    /// A layer of the pixel decoder's encoder, in place in `tokens`.
    case encoderLayer(Int)
    /// The stride-4 map and the tokens of stride 8 to `features`.
    case maskFeatures
    /// Tokens and features as the mask decoder reads them, and the learned queries.
    case decoderInput
    /// The keys that a mask decoder layer's cross-attention must not attend to.
    case attentionMask(Int)
    /// A layer of the mask decoder, in place in the queries.
    case decoderLayer(Int)
    /// Mask logits of the last queries.
    case maskLogits
    /// Embeddings for the in-vocabulary classifier.
    case classEmbeddings
    /// Embeddings for the out-of-vocabulary classifier.
    case openVocabularyHead
    /// Both classifiers and their ensemble.
    case classification

    /// The stages of a network of `architecture` in the order in which they run.
    public static func order(_ architecture: Architecture) -> [Stage] {
        var stages: [Stage] = [.stem]
        for index in 0..<4 { stages.append(.backbone(index)) }
        stages.append(.inputProjections)
        for index in 0..<architecture.encoderLayers { stages.append(.encoderLayer(index)) }
        stages.append(.maskFeatures)
        stages.append(.decoderInput)
        for index in 0..<architecture.decoderLayers {
            stages.append(.attentionMask(index))
            stages.append(.decoderLayer(index))
        }
        stages += [.maskLogits, .classEmbeddings, .openVocabularyHead, .classification]
        return stages
    }

    /// The stage's name in comparisons. Indices start at 0.
    public var name: String {
        switch self {
        case .stem: "stem"
        case .backbone(let index): "backbone stage \(index)"
        case .inputProjections: "input projections"
        case .encoderLayer(let index): "encoder layer \(index)"
        case .maskFeatures: "mask features"
        case .decoderInput: "decoder input"
        case .attentionMask(let index): "attention mask \(index)"
        case .decoderLayer(let index): "decoder layer \(index)"
        case .maskLogits: "mask logits"
        case .classEmbeddings: "class embeddings"
        case .openVocabularyHead: "open-vocabulary head"
        case .classification: "classification"
        }
    }

    /// The part of the network that ends with this stage, as time reports name it; nil inside a part.
    public var endOfPart: StaticString? {
        switch self {
        case .backbone(0): "backbone stage 1"
        case .backbone(1): "backbone stage 2"
        case .backbone(2): "backbone stage 3"
        case .backbone: "backbone stage 4"
        case .maskFeatures: "pixel decoder"
        case .classEmbeddings: "mask decoder"
        case .classification: "open-vocabulary head"
        default: nil
        }
    }
}

extension Architecture {
    /// The level whose tokens the mask decoder's layer `index` attends to: strides 32, 16 and 8 in turn.
    static func level(ofDecoderLayer index: Int) -> Int { index % levels }
}
