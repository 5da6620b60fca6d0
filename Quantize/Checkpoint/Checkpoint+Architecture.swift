import Kernels
import ModelFormat
import System

extension Checkpoint {
    /// The network's numbers, derived from the shapes of its tensors; every tensor is then checked against them.
    /// - Throws: when a tensor is missing, has another shape than the numbers imply, or is not one of FC-CLIP's.
    public func architecture() throws(Fault) -> Architecture {
        let heads = 8  // Not in the file; 8 in all of upstream's configurations.
        let encoder = UpstreamNames.encoderLayers
        let architecture = Architecture(
            backbone: try backbone(), visualHead: try visualHead(), embedding: try dimension(UpstreamNames.voidEmbedding, 1),
            hidden: try rows(UpstreamNames.decoderNorm + ".weight"), heads: heads,
            points: try rows(encoder + "0.self_attn.attention_weights.weight") / (heads * Architecture.levels),
            encoderLayers: try count(encoder), encoderFeedForward: try rows(encoder + "0.linear1.weight"),
            decoderLayers: try count(UpstreamNames.feedForwardLayers),
            decoderFeedForward: try rows(UpstreamNames.feedForwardLayers + "0.linear1.weight"),
            queries: try rows(UpstreamNames.queries), text: try textArchitecture())
        try check(architecture)
        return architecture
    }

    private func backbone() throws(Fault) -> Architecture.Backbone {
        if isResNet {
            var depths: [Int] = []
            for stage in 0..<4 { depths.append(try count(UpstreamNames.resNetStage(stage))) }
            return .resNet(depths: depths, width: try rows(UpstreamNames.resNetStem(2) + ".weight"))
        }
        var depths: [Int] = []
        var dims: [Int] = []
        for stage in 0..<4 {
            let blocks = UpstreamNames.trunk + "stages.\(stage).blocks."
            depths.append(try count(blocks))
            dims.append(try rows(blocks + "0.gamma"))
        }
        return .convNeXt(depths: depths, dims: dims)
    }

    /// Whether CLIP's picture encoder is a ModifiedResNet.
    private var isResNet: Bool { has(UpstreamNames.resNetStem(0) + ".weight") }

    private func visualHead() throws(Fault) -> Architecture.VisualHead {
        if isResNet {
            let positions = try rows(UpstreamNames.poolPositions) - 1
            let grid = Int(Double(positions).squareRoot())
            guard grid > 0, grid * grid == positions else {
                throw Fault("\(paths): tensor \(UpstreamNames.poolPositions) has \(positions + 1) rows, not one and a square")
            }
            return .attentionPool(grid: grid)
        }
        let hidden = UpstreamNames.visualHidden + ".weight"
        return has(hidden) ? .mlp(hidden: try rows(hidden)) : .projection
    }

    /// The text encoder's activation. Tensors do not tell it; OpenAI trained its CLIPs with QuickGELU, of which FC-CLIP uses the ResNets, and the
    /// ConvNeXts of open_clip have GELU. A text encoder on its own is taken for open_clip's, unless the head beside it was trained on one of OpenAI's.
    private var textActivation: TextArchitecture.Activation {
        isResNet || ClipFamily(head: shape)?.isOpenAI == true ? .quickGELU : .gelu
    }

    /// The text encoder's numbers, derived from the shapes of its tensors; only these tensors are then checked against them.
    /// - Throws: when one of its tensors is missing or has another shape than the numbers imply.
    public func textArchitecture() throws(Fault) -> TextArchitecture {
        let architecture = TextArchitecture(
            width: try rows(UpstreamNames.textNorm + ".weight"), layers: try count(UpstreamNames.textBlocks),
            vocabulary: try rows(UpstreamNames.tokenEmbedding), context: try rows(UpstreamNames.positionalEmbedding),
            activation: textActivation)
        guard architecture.width % 64 == 0 else {
            throw Fault("\(paths): a text encoder \(architecture.width) wide cannot be divided into heads of 64")
        }
        try check(UpstreamNames(architecture, embedding: try dimension(UpstreamNames.textProjection, 1)).shapes)
        return architecture
    }

    /// Keys of the text encoder's tensors. - Throws: as `textArchitecture()`.
    public func textNames() throws(Fault) -> UpstreamNames {
        UpstreamNames(try textArchitecture(), embedding: try dimension(UpstreamNames.textProjection, 1))
    }

    private func check(_ architecture: Architecture) throws(Fault) {
        guard architecture.hidden % Architecture.groups == 0, architecture.hidden % architecture.heads == 0, architecture.points > 0 else {
            throw Fault(
                "\(paths): a head \(architecture.hidden) wide with \(architecture.points) sampling points cannot be divided into \(architecture.heads) heads and \(Architecture.groups) groups"
            )
        }
        let shapes = UpstreamNames(architecture).shapes
        try check(shapes)
        for name in names where shapes[name] == nil {
            throw Fault("\(paths): tensor \(abbreviated(name)) is not one of FC-CLIP's with a \(isResNet ? "ResNet" : "ConvNeXt") CLIP")
        }
    }

    private func check(_ shapes: [String: [Int]]) throws(Fault) {
        for (name, expected) in shapes.sorted(by: { $0.key < $1.key }) {
            guard let shape = shape(name) else { throw missing(name) }
            guard shape == expected else {
                throw Fault("\(paths): tensor \(name) has shape \(shape), expected \(expected) from the other tensors")
            }
        }
    }

    private func dimension(_ name: String, _ index: Int) throws(Fault) -> Int {
        guard let shape = shape(name) else { throw missing(name) }
        // No dimension is 0, so none is larger than the file, and no arithmetic on them overflows.
        guard index < shape.count, shape.allSatisfy({ $0 > 0 }) else { throw Fault("\(paths): tensor \(name) has shape \(shape)") }
        return shape[index]
    }

    private func rows(_ name: String) throws(Fault) -> Int {
        try dimension(name, 0)
    }

    /// How many different numbers follow `prefix`.
    private func count(_ prefix: String) throws(Fault) -> Int {
        let count = Set(names.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count).prefix { $0 != "." } }).count
        guard count > 0 else { throw missing(prefix + "0") }
        return count
    }
}
