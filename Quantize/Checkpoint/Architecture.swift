import Kernels
import ModelFormat
import System

extension Checkpoint {
    /// The network's numbers, derived from the shapes of its tensors; every tensor is then checked against them.
    /// - Throws: when a tensor is missing, has another shape than the numbers imply, or is not one of FC-CLIP's.
    public func architecture() throws(Fault) -> Architecture {
        let clip = Checkpoint.clipPrefix
        let trunk = clip + "visual.trunk."
        let head = "sem_seg_head.predictor."
        let encoder = "sem_seg_head.pixel_decoder.transformer.encoder.layers."
        var depths: [Int] = []
        var dims: [Int] = []
        for stage in 0..<4 {
            depths.append(try count("\(trunk)stages.\(stage).blocks."))
            dims.append(try rows("\(trunk)stages.\(stage).blocks.0.gamma"))
        }
        let heads = 8  // Not in the file; the original's configurations all say 8.
        let mlp = clip + "visual.head.mlp.fc1.weight"
        let architecture = Architecture(
            depths: depths, dims: dims,
            embedding: try dimension("void_embedding.weight", 1), visualHidden: has(mlp) ? try rows(mlp) : 0,
            hidden: try rows(head + "decoder_norm.weight"), heads: heads,
            points: try rows(encoder + "0.self_attn.attention_weights.weight") / (heads * Architecture.levels),
            encoderLayers: try count(encoder), encoderFeedForward: try rows(encoder + "0.linear1.weight"),
            decoderLayers: try count(head + "transformer_ffn_layers."),
            decoderFeedForward: try rows(head + "transformer_ffn_layers.0.linear1.weight"),
            queries: try rows(head + "query_feat.weight"), text: try textArchitecture())
        try check(architecture)
        return architecture
    }

    /// The text encoder's numbers, derived from the shapes of its tensors; these, not others, are then checked against them.
    /// - Throws: when one of its tensors is missing or has another shape than the numbers imply.
    public func textArchitecture() throws(Fault) -> TextArchitecture {
        let clip = Checkpoint.clipPrefix
        let architecture = TextArchitecture(
            width: try rows(clip + "ln_final.weight"), layers: try count(clip + "transformer.resblocks."),
            vocabulary: try rows(clip + "token_embedding.weight"), context: try rows(clip + "positional_embedding"))
        guard architecture.width % 64 == 0 else {
            throw Fault("\(paths): a text encoder \(architecture.width) wide cannot be divided into heads of 64")
        }
        try check(architecture.layout(embedding: try dimension(clip + "text_projection", 1)))
        return architecture
    }

    private func check(_ architecture: Architecture) throws(Fault) {
        guard architecture.hidden % Architecture.groups == 0, architecture.hidden % architecture.heads == 0, architecture.points > 0 else {
            throw Fault(
                "\(paths): a head \(architecture.hidden) wide with \(architecture.points) sampling points cannot be divided into \(architecture.heads) heads and \(Architecture.groups) groups"
            )
        }
        let layout = architecture.layout
        try check(layout)
        for name in names where layout[name] == nil {
            throw Fault("\(paths): tensor \(abbreviated(name)) is not one of FC-CLIP's with a ConvNeXt CLIP")
        }
    }

    private func check(_ layout: [String: [Int]]) throws(Fault) {
        for (name, expected) in layout.sorted(by: { $0.key < $1.key }) {
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

extension [String: [Int]] {
    /// LayerNorm or GroupNorm.
    fileprivate mutating func norm(_ name: String, _ width: Int) {
        self[name + ".weight"] = [width]
        self[name + ".bias"] = [width]
    }

    /// Linear layer or, with a kernel, convolution.
    fileprivate mutating func linear(_ name: String, _ input: Int, _ output: Int, kernel: [Int] = [], bias: Bool = true) {
        self[name + ".weight"] = [output, input] + kernel
        if bias { self[name + ".bias"] = [output] }
    }

    /// PyTorch's MultiheadAttention.
    fileprivate mutating func attention(_ name: String, _ width: Int) {
        self[name + ".in_proj_weight"] = [3 * width, width]
        self[name + ".in_proj_bias"] = [3 * width]
        linear(name + ".out_proj", width, width)
    }
}

extension TextArchitecture {
    /// Every tensor of the text encoder with its shape, under the names of the one-file layout.
    public func layout(embedding: Int) -> [String: [Int]] {
        let clip = Checkpoint.clipPrefix
        var layout: [String: [Int]] = [:]
        layout[clip + "token_embedding.weight"] = [vocabulary, width]
        layout[clip + "positional_embedding"] = [context, width]
        layout[clip + "text_projection"] = [width, embedding]
        layout[clip + "logit_scale"] = []
        layout.norm(clip + "ln_final", width)
        for index in 0..<layers {
            let block = "\(clip)transformer.resblocks.\(index)."
            layout.norm(block + "ln_1", width)
            layout.attention(block + "attn", width)
            layout.norm(block + "ln_2", width)
            layout.linear(block + "mlp.c_fc", width, 4 * width)
            layout.linear(block + "mlp.c_proj", 4 * width, width)
        }
        return layout
    }
}

extension Architecture {
    /// Every tensor of the one-file layout with its shape (the original's PyTorch modules; text encoder included).
    public var layout: [String: [Int]] {
        var layout = text.layout(embedding: embedding)

        // CLIP's picture encoder.
        let clip = Checkpoint.clipPrefix
        let trunk = clip + "visual.trunk."
        layout.linear(trunk + "stem.0", 3, dims[0], kernel: [4, 4])
        layout.norm(trunk + "stem.1", dims[0])
        for stage in 0..<4 {
            let width = dims[stage]
            if stage > 0 {
                layout.norm("\(trunk)stages.\(stage).downsample.0", dims[stage - 1])
                layout.linear("\(trunk)stages.\(stage).downsample.1", dims[stage - 1], width, kernel: [2, 2])
            }
            for index in 0..<depths[stage] {
                let block = "\(trunk)stages.\(stage).blocks.\(index)."
                layout[block + "gamma"] = [width]
                layout.linear(block + "conv_dw", 1, width, kernel: [7, 7])
                layout.norm(block + "norm", width)
                layout.linear(block + "mlp.fc1", width, 4 * width)
                layout.linear(block + "mlp.fc2", 4 * width, width)
            }
        }
        layout.norm(trunk + "head.norm", dims[3])
        if visualHidden > 0 {
            layout.linear(clip + "visual.head.mlp.fc1", dims[3], visualHidden)
            layout.linear(clip + "visual.head.mlp.fc2", visualHidden, embedding, bias: false)
        } else {
            layout.linear(clip + "visual.head.proj", dims[3], embedding, bias: false)
        }

        // Pixel decoder; its maps go from the coarsest to the finest.
        let pixel = "sem_seg_head.pixel_decoder."
        for (index, width) in dims.dropFirst().reversed().enumerated() {
            layout.linear("\(pixel)input_proj.\(index).0", width, hidden, kernel: [1, 1])
            layout.norm("\(pixel)input_proj.\(index).1", hidden)
        }
        layout[pixel + "transformer.level_embed"] = [Architecture.levels, hidden]
        let samples = heads * Architecture.levels * points
        for index in 0..<encoderLayers {
            let layer = "\(pixel)transformer.encoder.layers.\(index)."
            layout.linear(layer + "self_attn.sampling_offsets", hidden, 2 * samples)
            layout.linear(layer + "self_attn.attention_weights", hidden, samples)
            layout.linear(layer + "self_attn.value_proj", hidden, hidden)
            layout.linear(layer + "self_attn.output_proj", hidden, hidden)
            layout.norm(layer + "norm1", hidden)
            layout.linear(layer + "linear1", hidden, encoderFeedForward)
            layout.linear(layer + "linear2", encoderFeedForward, hidden)
            layout.norm(layer + "norm2", hidden)
        }
        layout.linear(pixel + "mask_features", hidden, hidden, kernel: [1, 1])
        layout.linear(pixel + "adapter_1", dims[0], hidden, kernel: [1, 1], bias: false)
        layout.norm(pixel + "adapter_1.norm", hidden)
        layout.linear(pixel + "layer_1", hidden, hidden, kernel: [3, 3], bias: false)
        layout.norm(pixel + "layer_1.norm", hidden)

        // Mask decoder.
        let predictor = "sem_seg_head.predictor."
        for index in 0..<decoderLayers {
            layout.attention("\(predictor)transformer_cross_attention_layers.\(index).multihead_attn", hidden)
            layout.norm("\(predictor)transformer_cross_attention_layers.\(index).norm", hidden)
            layout.attention("\(predictor)transformer_self_attention_layers.\(index).self_attn", hidden)
            layout.norm("\(predictor)transformer_self_attention_layers.\(index).norm", hidden)
            layout.linear("\(predictor)transformer_ffn_layers.\(index).linear1", hidden, decoderFeedForward)
            layout.linear("\(predictor)transformer_ffn_layers.\(index).linear2", decoderFeedForward, hidden)
            layout.norm("\(predictor)transformer_ffn_layers.\(index).norm", hidden)
        }
        layout.norm(predictor + "decoder_norm", hidden)
        layout[predictor + "query_feat.weight"] = [queries, hidden]
        layout[predictor + "query_embed.weight"] = [queries, hidden]
        layout[predictor + "level_embed.weight"] = [Architecture.levels, hidden]
        layout.norm(predictor + "_mask_pooling_proj.0", hidden)
        layout.linear(predictor + "_mask_pooling_proj.1", hidden, hidden)
        for index in 0..<3 {
            layout.linear("\(predictor)mask_embed.layers.\(index)", hidden, hidden)
            layout.linear("\(predictor)class_embed.layers.\(index)", hidden, index == 2 ? embedding : hidden)
        }
        layout[predictor + "logit_scale"] = []
        layout["void_embedding.weight"] = [1, embedding]
        return layout
    }
}
