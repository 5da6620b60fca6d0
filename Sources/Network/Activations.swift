import Kernels
import ModelFormat

/// The matrices that the stages of one picture read and write, in the arithmetic's scratch memory.
///
/// All values are float32 except the mask decoder's operands. `result(of:)` returns what a stage has written, so two
/// networks of one architecture can be compared stage by stage.
public struct Activations<A: Arithmetic> {
    /// RGB8, row-major, `size`.
    let pixels: UnsafePointer<UInt8>
    let size: Size
    /// The input's size after padding, multiples of 32.
    let padded: Size
    let classifier: Classifier
    let geometry: SegmentationNetwork<A>.Geometry

    /// Maps, tokens, mask features and mask logits.
    let memory: SharedMaps
    /// Q x E embeddings for the in-vocabulary classifier, from `.decoderInput` on.
    var classEmbeddings: Matrix?
    /// From `.decoderInput` to `.classEmbeddings`.
    var decoder: DecoderActivations<A>?
    /// Q x E embeddings for the out-of-vocabulary classifier, from `.openVocabularyHead` on.
    var clipEmbeddings: Matrix?
    /// Q x 1, with `clipEmbeddings`: 0 where the out-of-vocabulary classifier has no say, else 1.
    var clipSays: Matrix?
    /// From `.classification` on.
    public internal(set) var prediction: Prediction?

    /// The keys that the next decoder layer's cross-attention must not attend to, from `.attentionMask` to `.maskLogits`.
    public var blocked: BlockedKeys? { decoder?.blocked }

    /// The matrix that `stage` writes, once it was performed; nil for stages that write none or more than one.
    public func result(of stage: Stage) -> Matrix? {
        switch stage {
        case .stem: memory.stem
        case .backbone(let index): memory.maps[index]
        case .inputProjections, .encoderLayer: memory.tokens
        case .maskFeatures: memory.features
        case .decoderLayer: decoder?.queries
        case .maskLogits: memory.masks
        case .classEmbeddings: classEmbeddings
        case .openVocabularyHead: clipEmbeddings
        case .decoderInput, .attentionMask, .classification: nil
        }
    }

    /// Overwrites what `stage` wrote with what it wrote in `other`, the activations of another network of the same
    /// architecture and input size.
    public func copyResult<B: Arithmetic>(of stage: Stage, from other: Activations<B>) {
        if let result = result(of: stage), let source = other.result(of: stage) { result.base.update(from: source.base, count: result.count) }
        if case .attentionMask = stage, let target = decoder, let source = other.decoder {
            target.blocked.words.update(from: source.blocked.words, count: target.blocked.wordsPerRow * target.queries.rows)
        }
    }
}

/// What all layers of the mask decoder read and write.
struct DecoderActivations<A: Arithmetic> {
    /// The tokens of each level, as cross-attention reads them.
    let memory: InlineArray<3, A.Operand>
    /// The mask features, as mask logits and mask pooling read them.
    let features: A.Operand
    /// The mask features reduced to the size of each level.
    let reduced: InlineArray<3, A.Operand>
    /// Q x hidden: the learned queries, then what each layer makes of them.
    let queries: Matrix
    /// Q x hidden: `decoder_norm` of the queries.
    let normed: Matrix
    /// What the next layer's cross-attention must not attend to. The memory is enough for every level.
    var blocked: BlockedKeys
    /// Where the scratch memory of all this begins.
    let mark: ScratchMark
    /// Memory that holds nothing until the mask logits are written.
    let spare: Matrix
}
