import Kernels
import ModelFormat
import System

/// CLIP's ModifiedResNet (arXiv 2103.00020, section 2.4): a stem of three layers, and average pooling instead of strides.
///
/// The quantizer folds every BatchNorm into the convolution before it.
struct ResNet<A: Arithmetic> {
    /// Three convolutions and a residual connection, which goes through a convolution of its own where the channels change.
    struct Bottleneck {
        let input, spatialInput, expandInput: A.QuantizationPoint
        let reduce, spatial, expand: A.Linear
        let shortcut: Shortcut?
    }

    /// The first bottleneck of a stage.
    struct Shortcut {
        /// Nil where the shortcut reads what `reduce` reads: where nothing is pooled.
        let input: A.QuantizationPoint?
        let layer: A.Linear
    }

    let arithmetic: A
    let stemWindow = Window(size: 3, stride: 2, padding: 1)
    let stemLayers: [A.Linear]
    /// Inputs of the stem's second and third layer.
    let stemPoints: [A.QuantizationPoint]
    let stages: [[Bottleneck]]
    /// Channels inside the bottlenecks of each stage.
    let innerChannels: [Int]

    /// Channels of the stem's result.
    var stemChannels: Int { innerChannels[0] }

    init(_ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        let dims = architecture.dims
        innerChannels = dims.map { $0 / 4 }
        let half = dims[0] / 8
        let pixels = try arithmetic.quantizationPoint("backbone.stem0.input", channels: 3)
        stemPoints = [
            try arithmetic.quantizationPoint("backbone.stem1.input", channels: half), try arithmetic.quantizationPoint("backbone.stem2.input", channels: half),
        ]
        stemLayers = [
            try arithmetic.linear("backbone.stem0", columns: half, depth: 9 * 3, taps: 3, input: pixels),
            try arithmetic.linear("backbone.stem1", columns: half, depth: 9 * half, taps: 3, input: stemPoints[0]),
            try arithmetic.linear("backbone.stem2", columns: 2 * half, depth: 9 * half, taps: 3, input: stemPoints[1]),
        ]
        var stages: [[Bottleneck]] = []
        var channels = 2 * half
        for stage in 0..<4 {
            let inner = dims[stage] / 4
            var blocks: [Bottleneck] = []
            for index in 0..<architecture.depths[stage] {
                let name = "backbone.stage\(stage).block\(index)."
                let input = try arithmetic.quantizationPoint(name + "reduce.input", channels: channels)
                let spatialInput = try arithmetic.quantizationPoint(name + "spatial.input", channels: inner)
                let expandInput = try arithmetic.quantizationPoint(name + "expand.input", channels: inner)
                var shortcut: Shortcut?
                if index == 0 {
                    let pooled = stage == 0 ? nil : try arithmetic.quantizationPoint(name + "shortcut.input", channels: channels)
                    shortcut = Shortcut(
                        input: pooled, layer: try arithmetic.linear(name + "shortcut", columns: dims[stage], depth: channels, input: pooled ?? input))
                }
                blocks.append(
                    Bottleneck(
                        input: input, spatialInput: spatialInput, expandInput: expandInput,
                        reduce: try arithmetic.linear(name + "reduce", columns: inner, depth: channels, input: input),
                        spatial: try arithmetic.linear(name + "spatial", columns: inner, depth: 9 * inner, taps: 3, input: spatialInput),
                        expand: try arithmetic.linear(name + "expand", columns: dims[stage], depth: inner, input: expandInput), shortcut: shortcut))
                channels = dims[stage]
            }
            stages.append(blocks)
        }
        self.stages = stages
    }

    /// Three 3x3 convolutions with ReLU, the first with stride 2, then 2x2 average pooling: RGB8 `pixels` of `size` to `map`
    /// ((H/4 W/4) x width).
    func stem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, into map: Matrix) {
        let mark = arithmetic.mark()
        let half = Size(height: padded.height / 2, width: padded.width / 2)
        let channels = stemChannels / 2
        let first = arithmetic.operand(size: half, columns: channels, at: stemPoints[0], bordered: true) {
            arithmetic.stem(pixels, size: size, padded: padded, window: stemWindow, stemLayers[0], activation: .relu, into: $0)
        }
        let second = arithmetic.operand(size: half, columns: channels, at: stemPoints[1], bordered: true) {
            arithmetic.convolution3x3(first, size: half, stemLayers[1], activation: .relu, pooled: false, into: $0)
        }
        arithmetic.convolution3x3(second, size: half, stemLayers[2], activation: .relu, pooled: true, into: MapOutput(map, width: half.width / 2))
        if arithmetic.isTracing {
            let whole = arithmetic.matrix(rows: half.area, columns: stemChannels)
            arithmetic.convolution3x3(second, size: half, stemLayers[2], activation: .relu, pooled: false, into: MapOutput(whole, width: half.width))
            arithmetic.record("stem", whole)
        }
        arithmetic.release(mark)
    }

    /// Stage `index` (0...3): `previous`, the stem's result or the map before, to `map` of `size`. All stages but the first halve
    /// the size.
    func stage(_ index: Int, from previous: Matrix, map: Matrix, size: Size) {
        let inner = innerChannels[index]
        var source = previous
        var sourceSize = index == 0 ? size : Size(height: 2 * size.height, width: 2 * size.width)
        for block in stages[index] {
            let mark = arithmetic.mark()
            let isPooled = sourceSize != size
            let input = arithmetic.operand(source, at: block.input)
            let reduced = arithmetic.operand(size: sourceSize, columns: inner, at: block.spatialInput, bordered: true) {
                arithmetic.convolution1x1(input, size: sourceSize, block.reduce, activation: .relu, into: $0)
            }
            let spatial = arithmetic.operand(size: size, columns: inner, at: block.expandInput, bordered: false) {
                arithmetic.convolution3x3(reduced, size: sourceSize, block.spatial, activation: .relu, pooled: isPooled, into: $0)
            }
            if let shortcut = block.shortcut {
                var shortcutInput = input
                if let point = shortcut.input {
                    shortcutInput = arithmetic.operand(size: size, columns: source.columns, at: point, bordered: false) {
                        arithmetic.averagePool(source, size: sourceSize, into: $0)
                    }
                }
                arithmetic.linear(shortcutInput, shortcut.layer, adding: nil, into: map)
            }
            arithmetic.linear(spatial, block.expand, addingTo: map, activation: .relu)
            arithmetic.release(mark)
            (source, sourceSize) = (map, size)
        }
    }
}
