import Kernels
import ModelFormat
import System

/// CLIP's ConvNeXt (arXiv 2201.03545).
///
/// The quantizer folds the affine part of a block's LayerNorm into the layer behind it, and the layer scale into
/// `project`.
struct ConvNeXt<A: Arithmetic> {
    struct Block {
        let input, normed, hidden: A.QuantizationPoint
        let depthwise: A.Depthwise
        let expand, project: A.Linear
    }

    let arithmetic: A
    let architecture: Architecture
    let stemWindow = Window(size: 4, stride: 4, padding: 0)
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
            "backbone.stem", columns: dims[0], depth: 3 * stemWindow.size * stemWindow.size, taps: stemWindow.size,
            input: try arithmetic.quantizationPoint("backbone.stem.input", channels: 3))
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
                        input: input, normed: normed, hidden: hidden,
                        depthwise: try arithmetic.depthwise(name + ".depthwise", channels: channels, input: input),
                        expand: try arithmetic.linear(name + ".expand", columns: 4 * channels, depth: channels, input: normed),
                        project: try arithmetic.linear(name + ".project", columns: channels, depth: 4 * channels, input: hidden)))
            }
            stages.append(blocks)
        }
        reduceInputs = inputs
        reduceLayers = layers
        self.stages = stages
    }

    /// 4x4 convolution with stride 4, then LayerNorm: RGB8 `pixels` of `size` to `map` ((H/4 W/4) x dims[0]).
    func stem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, into map: Matrix) {
        arithmetic.stem(
            pixels, size: size, padded: padded, window: stemWindow, stemLayer, activation: .none,
            into: MapOutput(map, width: padded.width / stemWindow.stride))
        stemNorm.apply(to: map, epsilon: architecture.backboneEpsilon, arithmetic)
        arithmetic.record("stem", map)
    }

    /// Stage `index` (0...3), `map` of `size`: a 2x2 reduction of `previous`, the map before, in all stages but the
    /// first; then the blocks, in place.
    ///
    /// The first stage works on what the stem left in `map`.
    func stage(_ index: Int, from previous: Matrix, map: Matrix, size: Size) {
        let epsilon = architecture.backboneEpsilon
        if index > 0 {
            let mark = arithmetic.mark()
            let previousSize = Size(height: 2 * size.height, width: 2 * size.width)
            arithmetic.normReduce(previous, size: previousSize, epsilon: epsilon, at: reduceInputs[index - 1], reduceLayers[index - 1], into: map)
            arithmetic.release(mark)
        }
        for block in stages[index] {
            let mark = arithmetic.mark()
            let input = arithmetic.operand(map, at: block.input)
            let normed = arithmetic.depthwiseNorm(input, size: size, block.depthwise, epsilon: epsilon, at: block.normed)
            arithmetic.feedForward(normed, expand: block.expand, activation: .gelu, at: block.hidden, project: block.project, addingTo: map)
            arithmetic.release(mark)
        }
    }
}
