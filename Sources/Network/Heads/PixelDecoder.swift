import Kernels
import ModelFormat
import System

/// Multi-scale deformable attention pixel decoder (MSDeformAttn, arXiv 2010.04159; fcclip's `msdeformattn.py`).
///
/// Level 0 has stride 32, level 1 stride 16, level 2 stride 8. Their tokens lie one after the other in a matrix of S
/// rows.
public struct PixelDecoder<A: Arithmetic> {
    struct Layer {
        let input, values, sampled, expandInput, hidden: A.QuantizationPoint
        let value, offsets, weights, output, expand, project: A.Linear
        let attentionNorm: NormParameters
        let feedForwardNorm: NormParameters
    }

    let arithmetic: A
    let architecture: Architecture
    let inputPoints: [A.QuantizationPoint]
    let inputs: [A.Linear]
    let inputNorms: [NormParameters]
    let levelEmbedding: Matrix
    let layers: [Layer]
    let lateralInput: A.QuantizationPoint
    let lateral: A.Linear
    let lateralNorm: NormParameters
    let smoothInput: A.QuantizationPoint
    let smoothing: A.Linear
    let smoothNorm: NormParameters
    let featuresInput: A.QuantizationPoint
    let features: A.Linear

    init(_ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        self.architecture = architecture
        let name = "pixel_decoder."
        let hidden = architecture.hidden
        let dims = architecture.dims
        var points: [A.QuantizationPoint] = []
        var inputs: [A.Linear] = []
        var norms: [NormParameters] = []
        for level in 0..<3 {
            let point = try arithmetic.quantizationPoint(name + "input\(level).input", channels: dims[3 - level])
            points.append(point)
            inputs.append(try arithmetic.linear(name + "input\(level)", columns: hidden, depth: dims[3 - level], input: point))
            norms.append(try NormParameters(name + "input\(level)_norm", channels: hidden, arithmetic))
        }
        inputPoints = points
        self.inputs = inputs
        inputNorms = norms
        levelEmbedding = try arithmetic.parameter(name + "level_embedding", rows: Architecture.levels, columns: hidden)
        var layers: [Layer] = []
        for index in 0..<architecture.encoderLayers {
            let layer = name + "layer\(index)."
            let input = try arithmetic.quantizationPoint(layer + "input", channels: hidden)
            let sampled = try arithmetic.quantizationPoint(layer + "output.input", channels: hidden)
            let width = architecture.encoderFeedForward
            let expandInput = try arithmetic.quantizationPoint(layer + "expand.input", channels: hidden)
            let projectInput = try arithmetic.quantizationPoint(layer + "project.input", channels: width)
            let values = try arithmetic.quantizationPoint(layer + "values", channels: hidden)
            try arithmetic.require([values], symmetric: false, for: layer + "values")
            layers.append(
                Layer(
                    input: input, values: values, sampled: sampled, expandInput: expandInput, hidden: projectInput,
                    value: try arithmetic.linear(layer + "value", columns: hidden, depth: hidden, input: input),
                    offsets: try arithmetic.linear(layer + "offsets", columns: 2 * architecture.samples, depth: hidden, input: input),
                    weights: try arithmetic.linear(layer + "weights", columns: architecture.samples, depth: hidden, input: input),
                    output: try arithmetic.linear(layer + "output", columns: hidden, depth: hidden, input: sampled),
                    expand: try arithmetic.linear(layer + "expand", columns: width, depth: hidden, input: expandInput),
                    project: try arithmetic.linear(layer + "project", columns: hidden, depth: width, input: projectInput),
                    attentionNorm: try NormParameters(layer + "attention_norm", channels: hidden, arithmetic),
                    feedForwardNorm: try NormParameters(layer + "perceptron_norm", channels: hidden, arithmetic)))
        }
        self.layers = layers
        lateralInput = try arithmetic.quantizationPoint(name + "lateral.input", channels: dims[0])
        lateral = try arithmetic.linear(name + "lateral", columns: hidden, depth: dims[0], input: lateralInput)
        lateralNorm = try NormParameters(name + "lateral_norm", channels: hidden, arithmetic)
        smoothInput = try arithmetic.quantizationPoint(name + "smooth.input", channels: hidden)
        smoothing = try arithmetic.linear(name + "smooth", columns: hidden, depth: 9 * hidden, taps: 3, input: smoothInput)
        smoothNorm = try NormParameters(name + "smooth_norm", channels: hidden, arithmetic)
        featuresInput = try arithmetic.quantizationPoint(name + "features.input", channels: hidden)
        features = try arithmetic.linear(name + "features", columns: hidden, depth: hidden, input: featuresInput)
    }

    /// Sizes of levels 0, 1, 2 (strides 32, 16, 8) for a padded input.
    public static func levels(of padded: Size) -> [Size] {
        [3, 2, 1].map { Backbone<A>.size(stage: $0, of: padded) }
    }

    /// Rows of each level in the token stream.
    public static func ranges(_ levels: [Size]) -> [Range<Int>] {
        var start = 0
        return levels.map { level in
            defer { start += level.area }
            return start..<start + level.area
        }
    }

    /// `W (pos + level embedding)` for a layer's sampling offsets and weights: one table for each level of an input
    /// size.
    public struct SamplingTables {
        var offsets: [PositionTable] = []
        var weights: [PositionTable] = []
    }

    /// The tables of every layer, in scratch memory.
    public func samplingTables(_ levels: [Size]) -> [SamplingTables] {
        let hidden = architecture.hidden
        var tables = layers.map { _ in SamplingTables() }
        for (level, size) in levels.enumerated() {
            let encoding = PositionalEncoding(size: size, channels: hidden, arithmetic: arithmetic)
            encoding.add(levelEmbedding.row(level), arithmetic)
            for (index, layer) in layers.enumerated() {
                tables[index].offsets.append(encoding.projected(by: layer.offsets, columns: 2 * architecture.samples, arithmetic))
                tables[index].weights.append(encoding.projected(by: layer.weights, columns: architecture.samples, arithmetic))
            }
        }
        return tables
    }

    /// Projects the maps of strides 32, 16 and 8, in this order, to `tokens` (S x hidden): 1x1 convolution and
    /// GroupNorm.
    public func project(_ maps: InlineArray<3, Matrix>, levels: [Size], ranges: [Range<Int>], into tokens: Matrix) {
        for level in 0..<3 {
            let mark = arithmetic.mark()
            let rows = tokens.rows(ranges[level])
            arithmetic.linear(arithmetic.operand(maps[level], at: inputPoints[level]), inputs[level], adding: nil, into: rows)
            arithmetic.groupNorm(rows, inputNorms[level])
            arithmetic.record("pd.input_proj.\(level)", rows)
            arithmetic.release(mark)
        }
        arithmetic.record("pd.enc_src", tokens)
        if arithmetic.isTracing { recordPositions(levels, ranges: ranges) }
    }

    /// Encoder layer `index`, in place in `tokens` (S x hidden): deformable attention, then feed-forward, each with a
    /// residual and LayerNorm behind it.
    public func encode(_ index: Int, _ tokens: Matrix, levels: [Size], ranges: [Range<Int>], tables: SamplingTables) {
        let layer = layers[index]
        let mark = arithmetic.mark()
        let x = arithmetic.operand(tokens, at: layer.input)
        let values = arithmetic.linear(x, layer.value, adding: nil, activation: .none, at: layer.values)
        let offsets = arithmetic.matrix(rows: tokens.rows, columns: 2 * architecture.samples)
        let weights = arithmetic.matrix(rows: tokens.rows, columns: architecture.samples)
        for level in 0..<Architecture.levels {
            let range = ranges[level]
            let rows = arithmetic.rows(range, of: x)
            arithmetic.linear(rows, layer.offsets, adding: tables.offsets[level], into: offsets.rows(range))
            arithmetic.linear(rows, layer.weights, adding: tables.weights[level], into: weights.rows(range))
        }
        arithmetic.record("pd.enc\(index).sampling_offsets", offsets)
        arithmetic.record("pd.enc\(index).attention_weights", weights)
        let sampled = arithmetic.sampledAttention(
            value: values, offsets: offsets, weights: weights, levels: levels, heads: architecture.heads, points: architecture.points, at: layer.sampled)
        if arithmetic.isTracing {
            let output = arithmetic.matrix(rows: tokens.rows, columns: tokens.columns)
            arithmetic.linear(x, layer.value, adding: nil, into: output)
            arithmetic.record("pd.enc\(index).value_proj", output)
            arithmetic.record("pd.enc\(index).sampled", sampled)
            arithmetic.linear(sampled, layer.output, adding: nil, into: output)
            arithmetic.record("pd.enc\(index).output_proj", output)
        }
        arithmetic.linear(sampled, layer.output, addingTo: tokens)
        layer.attentionNorm.apply(to: tokens, arithmetic)
        arithmetic.feedForward(
            arithmetic.operand(tokens, at: layer.expandInput), expand: layer.expand, activation: .relu, at: layer.hidden,
            project: layer.project, addingTo: tokens)
        layer.feedForwardNorm.apply(to: tokens, arithmetic)
        arithmetic.record("pd.enc.\(index)", tokens)
        arithmetic.release(mark)
    }

    /// Mask features (`result`: area x hidden) from the map of stride 4, whose memory is then used for other things, and the encoded tokens of
    /// stride 8.
    public func maskFeatures(_ finest: Matrix, size: Size, encoded: Matrix, encodedSize: Size, into result: Matrix) {
        let mark = arithmetic.mark()
        arithmetic.linear(arithmetic.operand(finest, at: lateralInput), lateral, adding: nil, into: result)
        arithmetic.release(mark)
        arithmetic.withScratch(in: finest) { smooth(result, size: size, encoded: encoded, encodedSize: encodedSize) }
        arithmetic.record("pd.mask_features", result)
    }

    /// The rest of `maskFeatures`, in place in `result`.
    private func smooth(_ result: Matrix, size: Size, encoded: Matrix, encodedSize: Size) {
        let sum = arithmetic.groupNorm(result, size: size, lateralNorm, adding: CoarseMap(map: encoded, size: encodedSize), at: smoothInput, bordered: true)
        arithmetic.convolution3x3(sum, size: size, smoothing, activation: .none, pooled: false, into: MapOutput(result, width: size.width))
        let smoothed = arithmetic.groupNorm(result, size: size, smoothNorm, activation: .relu, at: featuresInput)
        arithmetic.linear(smoothed, features, adding: nil, into: result)
    }

    /// Records the positional encoding with level embedding and the reference points. No step needs them as a whole.
    private func recordPositions(_ levels: [Size], ranges: [Range<Int>]) {
        let mark = arithmetic.mark()
        let positions = arithmetic.matrix(rows: ranges[2].upperBound, columns: architecture.hidden)
        let points = arithmetic.matrix(rows: positions.rows, columns: 2 * Architecture.levels)
        for (level, size) in levels.enumerated() {
            let encoding = PositionalEncoding(size: size, channels: architecture.hidden, arithmetic: arithmetic)
            for pixel in 0..<size.area {
                let y = pixel / size.width
                let x = pixel % size.width
                let row = ranges[level].lowerBound + pixel
                for channel in 0..<architecture.hidden {
                    positions[row, channel] = encoding.vertical[y, channel] + encoding.horizontal[x, channel] + levelEmbedding[level, channel]
                }
                for other in 0..<Architecture.levels {
                    points[row, 2 * other] = (Float(x) + 0.5) / Float(size.width)
                    points[row, 2 * other + 1] = (Float(y) + 0.5) / Float(size.height)
                }
            }
        }
        arithmetic.record("pd.enc_pos", positions)
        arithmetic.record("pd.ref_points", points)
        arithmetic.release(mark)
    }
}

extension Architecture {
    /// Samples that a token takes over all heads, levels and points.
    var samples: Int { heads * Self.levels * points }
}
