import Kernels
import ModelFormat
import System

/// ConvNeXt image tower of CLIP (arXiv 2201.03545): maps at strides 4, 8, 16 and 32.
///
/// LayerNorm's affine part is folded into the layer behind it and the layer scale into `project`, at quantization.
public struct Backbone<A: Arithmetic> {
    struct Block {
        let input: A.QuantizationPoint
        let depthwise: A.Depthwise
        let normed: A.QuantizationPoint
        let expand: A.Linear
        let hidden: A.QuantizationPoint
        let project: A.Linear
    }

    let arithmetic: A
    let architecture: Architecture
    let stemLayer: A.Linear
    let stemNorm: NormParameters
    let reduceInputs: [A.QuantizationPoint]
    let reduceLayers: [A.Linear]
    let stages: [[Block]]

    init(_ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        self.architecture = architecture
        let dims = architecture.dims
        stemLayer = try arithmetic.linear(
            "backbone.stem", columns: dims[0], depth: 48, input: try arithmetic.quantizationPoint("backbone.stem.input", channels: 3))
        stemNorm = try NormParameters("backbone.stem_norm", channels: dims[0], arithmetic)
        var inputs: [A.QuantizationPoint] = []
        var layers: [A.Linear] = []
        var stages: [[Block]] = []
        for stage in 0..<4 {
            if stage > 0 {
                let input = try arithmetic.quantizationPoint("backbone.stage\(stage).reduce.input", channels: dims[stage - 1])
                inputs.append(input)
                layers.append(try arithmetic.linear("backbone.stage\(stage).reduce", columns: dims[stage], depth: 4 * dims[stage - 1], input: input))
            }
            var blocks: [Block] = []
            for index in 0..<architecture.depths[stage] {
                let name = "backbone.stage\(stage).block\(index)"
                let channels = dims[stage]
                let input = try arithmetic.quantizationPoint(name + ".depthwise.input", channels: channels)
                let normed = try arithmetic.quantizationPoint(name + ".expand.input", channels: channels)
                let hidden = try arithmetic.quantizationPoint(name + ".project.input", channels: 4 * channels)
                blocks.append(
                    Block(
                        input: input, depthwise: try arithmetic.depthwise(name + ".depthwise", channels: channels, input: input),
                        normed: normed, expand: try arithmetic.linear(name + ".expand", columns: 4 * channels, depth: channels, input: normed),
                        hidden: hidden, project: try arithmetic.linear(name + ".project", columns: channels, depth: 4 * channels, input: hidden)))
            }
            stages.append(blocks)
        }
        reduceInputs = inputs
        reduceLayers = layers
        self.stages = stages
    }

    /// Size of the map after stage `stage` (0...3) for a padded input.
    public static func size(stage: Int, of padded: Size) -> Size {
        Size(height: padded.height >> (stage + 2), width: padded.width >> (stage + 2))
    }

    /// 4x4/4 convolution and LayerNorm: RGB8 `pixels` of `size` to `into` (padded / 4 pixels x dims[0]).
    public func stem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, into map: Matrix) {
        arithmetic.stem(pixels, size: size, padded: padded, stemLayer, into: map)
        stemNorm.apply(to: map, epsilon: architecture.backboneEpsilon, arithmetic)
        arithmetic.record("stem", map)
    }

    /// Stage `stage`: reduction (except in the first) from `previous` of `previousSize`, then the blocks, in place in `map`.
    public func stage(_ stage: Int, from previous: Matrix?, previousSize: Size, map: Matrix, size: Size) {
        let epsilon = architecture.backboneEpsilon
        if let previous {
            let mark = arithmetic.mark()
            arithmetic.normReduce(previous, size: previousSize, epsilon: epsilon, at: reduceInputs[stage - 1], reduceLayers[stage - 1], into: map)
            arithmetic.release(mark)
        }
        for block in stages[stage] {
            let mark = arithmetic.mark()
            let input = arithmetic.operand(map, at: block.input)
            let normed = arithmetic.depthwiseNorm(input, size: size, block.depthwise, epsilon: epsilon, at: block.normed)
            arithmetic.feedForward(normed, expand: block.expand, activation: .gelu, at: block.hidden, project: block.project, addingTo: map)
            arithmetic.release(mark)
        }
    }

    /// All four stages; `maps[i]` has dims[i] columns and the size of stage i. `clock` is told the name of each as it ends.
    public func run(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, maps: InlineArray<4, Matrix>, clock: (StaticString) -> Void = { _ in }) {
        stem(pixels, size: size, padded: padded, into: maps[0])
        for index in 0..<4 {
            let own = Self.size(stage: index, of: padded)
            let previous = index == 0 ? own : Self.size(stage: index - 1, of: padded)
            stage(index, from: index == 0 ? nil : maps[index - 1], previousSize: previous, map: maps[index], size: own)
            arithmetic.record("res\(index + 2)", maps[index])
            clock(Self.stageName(index))
        }
        arithmetic.record("clip_vis_dense", maps[3])
    }

    private static func stageName(_ stage: Int) -> StaticString {
        switch stage {
        case 0: "backbone stage 1"
        case 1: "backbone stage 2"
        case 2: "backbone stage 3"
        default: "backbone stage 4"
        }
    }
}
