import Kernels
import ModelFormat
import System

/// Masked-attention mask decoder (Mask2Former, arXiv 2112.01527; fcclip's `fcclip_transformer_decoder.py`).
///
/// Q learned queries attend to the three levels in turn. A query attends only to the tokens where its mask logits,
/// computed before the layer, are not negative.
public struct MaskDecoder<A: Arithmetic> {
    struct Attention {
        let query, key, value, output: A.Linear
        let queries, keys, values, outputInput: A.QuantizationPoint
        let norm: NormParameters

        init(_ name: String, width: Int, input: A.QuantizationPoint, memory: A.QuantizationPoint, norm: String, _ arithmetic: A) throws(Fault) {
            query = try arithmetic.linear(name + ".query", columns: width, depth: width, input: input)
            key = try arithmetic.linear(name + ".key", columns: width, depth: width, input: memory)
            value = try arithmetic.linear(name + ".value", columns: width, depth: width, input: memory)
            queries = try arithmetic.quantizationPoint(name + ".queries", channels: width)
            keys = try arithmetic.quantizationPoint(name + ".keys", channels: width)
            values = try arithmetic.quantizationPoint(name + ".values", channels: width)
            try arithmetic.require([queries, keys, values], symmetric: false, for: name)
            outputInput = try arithmetic.quantizationPoint(name + ".output.input", channels: width)
            output = try arithmetic.linear(name + ".output", columns: width, depth: width, input: outputInput)
            self.norm = try NormParameters(norm, channels: width, arithmetic)
        }
    }

    struct Layer {
        let crossInput: A.QuantizationPoint
        let crossAttention: Attention
        let selfInput: A.QuantizationPoint
        let selfAttention: Attention
        let expandInput, hidden: A.QuantizationPoint
        let expand, project: A.Linear
        let feedForwardNorm: NormParameters
        /// `Wq query_embed` of the cross-attention, `Wq query_embed` and `Wk query_embed` of the self-attention.
        let crossQueries, selfQueries, selfKeys: PositionTable
    }

    /// What depends on the learned queries alone: the mask embeddings before layer 0 and the queries of its
    /// cross-attention.
    struct Constants {
        let maskEmbeddings: A.Operand
        let crossQueries: A.Operand
    }

    let arithmetic: A
    let architecture: Architecture
    /// One, or none where `Arithmetic.keepsConstants` is false.
    private(set) var constants: [Constants] = []
    public let queries: Matrix
    let levelEmbedding: Matrix
    let memoryPoints: [A.QuantizationPoint]
    let layers: [Layer]
    let norm: NormParameters
    let embeddingInput: A.QuantizationPoint
    let embedding: [A.Linear]
    let embeddingPoints: [A.QuantizationPoint]
    let featuresPoint: A.QuantizationPoint
    let poolInput: A.QuantizationPoint
    let pool: A.Linear
    let classInput: A.QuantizationPoint
    let classHidden: [A.QuantizationPoint]
    let classEmbedding: [A.Linear]
    /// Factor of the in-vocabulary classifier's cosine similarities: exp(logit scale), at most 100.
    public let scale: Float

    init(_ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        self.architecture = architecture
        let name = "mask_decoder."
        let width = architecture.hidden
        let count = architecture.queries
        queries = try arithmetic.parameter(name + "queries", rows: count, columns: width)
        let positions = try arithmetic.parameter(name + "query_positions", rows: count, columns: width)
        levelEmbedding = try arithmetic.parameter(name + "level_embedding", rows: Architecture.levels, columns: width)
        var memory: [A.QuantizationPoint] = []
        for level in 0..<3 { memory.append(try arithmetic.quantizationPoint(name + "memory\(level)", channels: width)) }
        memoryPoints = memory
        func table(_ layer: A.Linear) -> PositionTable {
            let rows = arithmetic.matrix(rows: positions.rows, columns: positions.columns)
            arithmetic.table(positions, layer, into: rows)
            return PositionTable(rows: rows)
        }
        var layers: [Layer] = []
        for index in 0..<architecture.decoderLayers {
            let layer = name + "layer\(index)."
            let crossInput = try arithmetic.quantizationPoint(layer + "cross.input", channels: width)
            let selfInput = try arithmetic.quantizationPoint(layer + "self.input", channels: width)
            let crossAttention = try Attention(
                layer + "cross", width: width, input: crossInput, memory: memory[Architecture.level(ofDecoderLayer: index)], norm: layer + "cross_norm",
                arithmetic)
            let selfAttention = try Attention(layer + "self", width: width, input: selfInput, memory: selfInput, norm: layer + "self_norm", arithmetic)
            let inner = architecture.decoderFeedForward
            let expandInput = try arithmetic.quantizationPoint(layer + "expand.input", channels: width)
            let hidden = try arithmetic.quantizationPoint(layer + "project.input", channels: inner)
            layers.append(
                Layer(
                    crossInput: crossInput, crossAttention: crossAttention, selfInput: selfInput, selfAttention: selfAttention,
                    expandInput: expandInput, hidden: hidden,
                    expand: try arithmetic.linear(layer + "expand", columns: inner, depth: width, input: expandInput),
                    project: try arithmetic.linear(layer + "project", columns: width, depth: inner, input: hidden),
                    feedForwardNorm: try NormParameters(layer + "perceptron_norm", channels: width, arithmetic),
                    crossQueries: table(crossAttention.query), selfQueries: table(selfAttention.query), selfKeys: table(selfAttention.key)))
        }
        self.layers = layers
        norm = try NormParameters(name + "norm", channels: width, arithmetic)
        embeddingInput = try arithmetic.quantizationPoint(name + "mask_embedding0.input", channels: width)
        embeddingPoints = [
            try arithmetic.quantizationPoint(name + "mask_embedding1.input", channels: width),
            try arithmetic.quantizationPoint(name + "mask_embedding2.input", channels: width),
            try arithmetic.quantizationPoint(name + "mask_embeddings", channels: width),
        ]
        embedding = [
            try arithmetic.linear(name + "mask_embedding0", columns: width, depth: width, input: embeddingInput),
            try arithmetic.linear(name + "mask_embedding1", columns: width, depth: width, input: embeddingPoints[0]),
            try arithmetic.linear(name + "mask_embedding2", columns: width, depth: width, input: embeddingPoints[1]),
        ]
        featuresPoint = try arithmetic.quantizationPoint(name + "features", channels: width)
        try arithmetic.require([embeddingPoints[2], featuresPoint], symmetric: true, for: name + "masks")
        poolInput = try arithmetic.quantizationPoint(name + "pool.input", channels: width)
        pool = try arithmetic.linear(name + "pool", columns: width, depth: width, input: poolInput)
        classInput = try arithmetic.quantizationPoint(name + "class_embedding0.input", channels: width)
        classHidden = [
            try arithmetic.quantizationPoint(name + "class_embedding1.input", channels: width),
            try arithmetic.quantizationPoint(name + "class_embedding2.input", channels: width),
        ]
        classEmbedding = [
            try arithmetic.linear(name + "class_embedding0", columns: width, depth: width, input: classInput),
            try arithmetic.linear(name + "class_embedding1", columns: width, depth: width, input: classHidden[0]),
            try arithmetic.linear(name + "class_embedding2", columns: architecture.embedding, depth: width, input: classHidden[1]),
        ]
        scale = similarityScale(try arithmetic.parameter(name + "logit_scale", rows: 1, columns: 1))
        if arithmetic.keepsConstants, !layers.isEmpty {
            // They keep their scratch memory.
            let normed = arithmetic.matrix(rows: count, columns: width)
            constants = [Constants(maskEmbeddings: maskEmbeddings(queries, normed: normed), crossQueries: crossQueries(0, queries))]
        }
    }

    /// The constant parts of a layer's cross-attention for one input size, projected: the level embedding for its
    /// values, the level embedding plus the positional encoding for its keys.
    public struct MemoryTables {
        let keys: PositionTable
        let values: PositionTable
    }

    /// The tables of every layer, in scratch memory.
    public func memoryTables(_ levels: [Size]) -> [MemoryTables] {
        let hidden = architecture.hidden
        let encodings = levels.map { PositionalEncoding(size: $0, channels: hidden, arithmetic: arithmetic) }
        for (level, encoding) in encodings.enumerated() { encoding.add(levelEmbedding.row(level), arithmetic) }
        func projected(_ x: Matrix, _ layer: A.Linear) -> Matrix {
            let rows = arithmetic.matrix(rows: x.rows, columns: hidden)
            arithmetic.table(x, layer, into: rows)
            return rows
        }
        return layers.enumerated().map { index, layer in
            let level = Architecture.level(ofDecoderLayer: index)
            return MemoryTables(
                keys: encodings[level].projected(by: layer.crossAttention.key, columns: hidden, arithmetic),
                values: PositionTable(constant: projected(levelEmbedding.rows(level..<level + 1), layer.crossAttention.value)))
        }
    }

    /// The tokens of one level (area x hidden) as cross-attention reads them.
    public func memory(_ tokens: Matrix, level: Int) -> A.Operand {
        arithmetic.operand(tokens, at: memoryPoints[level])
    }

    /// Mask features (area x hidden) as mask logits and mask pooling read them.
    public func features(_ features: Matrix) -> A.Operand {
        arithmetic.operand(features, at: featuresPoint)
    }

    /// Mask features of `size` reduced to `smaller`, as mask logits read them.
    public func features(_ features: Matrix, from size: Size, to smaller: Size) -> A.Operand {
        arithmetic.operand(size: smaller, columns: features.columns, at: featuresPoint, bordered: false) { output in
            let mark = arithmetic.mark()
            // A line at a time, each band of lines in a buffer of its own.
            let bands = min(smaller.height, 16)
            let buffer = arithmetic.matrix(rows: bands * smaller.width, columns: features.columns)
            arithmetic.parallel(bands) { range in
                for band in range {
                    let line = buffer.rows(band * smaller.width..<(band + 1) * smaller.width)
                    for y in smaller.height * band / bands..<smaller.height * (band + 1) / bands {
                        arithmetic.perform(.resizedLine(ResizedLine(features, from: size, to: smaller, line: y, into: line.base)))
                        arithmetic.perform(.quantize(line, rows: 0..<line.rows, output: output.line(y).rows))
                    }
                }
            }
            arithmetic.release(mark)
        }
    }

    /// Layer `index`, in place in `x` (Q x hidden): masked cross-attention, self-attention and feed-forward, all
    /// post-norm.
    ///
    /// - Parameters:
    ///   - x: the learned queries before layer 0.
    ///   - memory, tables: tokens of the layer's level, and the layer's constant parts.
    public func layer(_ index: Int, _ x: Matrix, memory: A.Operand, tables: MemoryTables, blocked: BlockedKeys) {
        let layer = layers[index]
        let heads = architecture.heads
        let mark = arithmetic.mark()
        do {
            let query = isConstant(before: index) ? constants[0].crossQueries : crossQueries(index, x)
            let key = arithmetic.linear(memory, layer.crossAttention.key, adding: tables.keys, activation: .none, at: layer.crossAttention.keys)
            let value = arithmetic.linear(memory, layer.crossAttention.value, adding: tables.values, activation: .none, at: layer.crossAttention.values)
            let attended = arithmetic.attention(query: query, key: key, value: value, heads: heads, blocked: blocked, at: layer.crossAttention.outputInput)
            arithmetic.linear(attended, layer.crossAttention.output, addingTo: x)
            layer.crossAttention.norm.apply(to: x, arithmetic)
            arithmetic.record("dec.\(index).cross", x)
        }
        do {
            let input = arithmetic.operand(x, at: layer.selfInput)
            let query = arithmetic.linear(input, layer.selfAttention.query, adding: layer.selfQueries, activation: .none, at: layer.selfAttention.queries)
            let key = arithmetic.linear(input, layer.selfAttention.key, adding: layer.selfKeys, activation: .none, at: layer.selfAttention.keys)
            let value = arithmetic.linear(input, layer.selfAttention.value, adding: nil, activation: .none, at: layer.selfAttention.values)
            let attended = arithmetic.attention(query: query, key: key, value: value, heads: heads, blocked: nil, at: layer.selfAttention.outputInput)
            arithmetic.linear(attended, layer.selfAttention.output, addingTo: x)
            layer.selfAttention.norm.apply(to: x, arithmetic)
            arithmetic.record("dec.\(index).self", x)
        }
        arithmetic.feedForward(
            arithmetic.operand(x, at: layer.expandInput), expand: layer.expand, activation: .relu, at: layer.hidden,
            project: layer.project, addingTo: x)
        layer.feedForwardNorm.apply(to: x, arithmetic)
        arithmetic.record("dec.\(index).ffn", x)
        arithmetic.release(mark)
    }

    /// The queries `x` as layer `index`'s cross-attention reads them.
    private func crossQueries(_ index: Int, _ x: Matrix) -> A.Operand {
        let layer = layers[index]
        return arithmetic.linear(
            arithmetic.operand(x, at: layer.crossInput), layer.crossAttention.query, adding: layer.crossQueries, activation: .none,
            at: layer.crossAttention.queries)
    }

    /// Whether `constants` hold what is computed from the queries before layer `index`.
    private func isConstant(before index: Int) -> Bool {
        index == 0 && !constants.isEmpty && !arithmetic.isTracing
    }

    /// Mask embeddings of the queries `x` (Q x hidden) before layer `index`.
    ///
    /// - Parameter normed: becomes `decoder_norm` of the queries, except before layer 0 of a network that keeps
    ///   constants.
    public func maskEmbeddings(_ x: Matrix, before index: Int, normed: Matrix) -> A.Operand {
        isConstant(before: index) ? constants[0].maskEmbeddings : maskEmbeddings(x, normed: normed)
    }

    /// Mask embeddings of the queries `x`; `normed` becomes `decoder_norm` of them.
    public func maskEmbeddings(_ x: Matrix, normed: Matrix) -> A.Operand {
        norm.apply(x, into: normed, arithmetic)
        let first = arithmetic.linear(arithmetic.operand(normed, at: embeddingInput), embedding[0], adding: nil, activation: .relu, at: embeddingPoints[0])
        let second = arithmetic.linear(first, embedding[1], adding: nil, activation: .relu, at: embeddingPoints[1])
        return arithmetic.linear(second, embedding[2], adding: nil, activation: .none, at: embeddingPoints[2])
    }

    /// The next layer's attention mask: a query's key is blocked where its mask logit is negative. A query with all
    /// keys blocked gets none blocked.
    ///
    /// - Parameter features: the mask features reduced to the level's size, `tokens` rows.
    public func blockedKeys(_ embeddings: A.Operand, features: A.Operand, tokens: Int, into blocked: BlockedKeys) {
        let mark = arithmetic.mark()
        let logits = arithmetic.matrix(rows: architecture.queries, columns: tokens)
        arithmetic.masks(embeddings, features: features, into: logits)
        arithmetic.parallel(logits.rows) { range in
            for query in range {
                let row = blocked.row(query)
                arithmetic.perform(.signBits(SignBits(logits.row(query), count: tokens, where: .negative, into: row)))
                var count = 0
                for word in 0..<blocked.wordsPerRow { count += row[word].nonzeroBitCount }
                if count == tokens { row.update(repeating: 0, count: blocked.wordsPerRow) }
            }
        }
        arithmetic.release(mark)
    }

    /// In-vocabulary class embeddings (`result`: Q x E) from the queries' `normed` rows (Q x hidden) and the mean
    /// feature under each mask.
    ///
    /// - Parameters:
    ///   - logits: Q x area mask logits.
    ///   - trace: the layer that names of recorded tensors contain.
    public func classEmbeddings(normed: Matrix, logits: Matrix, features: A.Operand, into result: Matrix, trace: Int) {
        let mark = arithmetic.mark()
        let words = (logits.columns + 63) / 64
        let inside = arithmetic.insideBits(of: logits)
        let pooled = arithmetic.matrix(rows: normed.rows, columns: normed.columns)
        arithmetic.maskedMean(inside, wordsPerRow: words, features: features, into: pooled)
        arithmetic.record("dec.h\(trace).maskpool", pooled)
        arithmetic.normalizeRows(pooled, epsilon: 1e-5)
        let sum = arithmetic.matrix(rows: normed.rows, columns: normed.columns)
        arithmetic.linear(arithmetic.operand(pooled, at: poolInput), pool, adding: nil, into: sum)
        arithmetic.record("dec.h\(trace).maskpool_proj", sum)
        arithmetic.compute {
            for index in 0..<sum.count { sum.base[index] += normed.base[index] }
        }
        let first = arithmetic.linear(arithmetic.operand(sum, at: classInput), classEmbedding[0], adding: nil, activation: .relu, at: classHidden[0])
        let second = arithmetic.linear(first, classEmbedding[1], adding: nil, activation: .relu, at: classHidden[1])
        arithmetic.linear(second, classEmbedding[2], adding: nil, into: result)
        arithmetic.record("dec.h\(trace).class_embed", result)
        arithmetic.release(mark)
    }
}

extension Arithmetic {
    /// Bits of the pixels inside each mask, where `logits` are positive: `(logits.columns + 63) / 64` words for each
    /// row, in scratch memory.
    func insideBits(of logits: Matrix) -> UnsafeMutablePointer<UInt64> {
        let words = (logits.columns + 63) / 64
        let bits = self.words(words * logits.rows)
        parallel(logits.rows) { range in
            for row in range { perform(.signBits(SignBits(logits.row(row), count: logits.columns, where: .positive, into: bits + row * words))) }
        }
        return bits
    }
}
