import Board
import Network

extension Checkpoint {
    /// The network's numbers, derived from the shapes of its tensors; every tensor is then checked against them.
    /// - Throws: when a tensor is missing, has another shape than the numbers imply, or is not one of FC-CLIP's.
    public func architecture() throws(Fault) -> Architecture {
        let clip = Checkpoint.clipPrefix, trunk = clip + "visual.trunk."
        let head = "sem_seg_head.predictor.", encoder = "sem_seg_head.pixel_decoder.transformer.encoder.layers."
        var depths: [Int] = [], dims: [Int] = []
        for stage in 0..<4 {
            depths.append(try count("\(trunk)stages.\(stage).blocks."))
            dims.append(try rows("\(trunk)stages.\(stage).blocks.0.gamma"))
        }
        let heads = 8 // Not in the file; the original's configurations all say 8.
        let mlp = clip + "visual.head.mlp.fc1.weight"
        let architecture = Architecture(
            depths: depths, dims: dims,
            embedding: try dimension("void_embedding.weight", 1), visualHidden: has(mlp) ? try rows(mlp) : 0,
            hidden: try rows(head + "decoder_norm.weight"), heads: heads,
            points: try rows(encoder + "0.self_attn.attention_weights.weight") / (heads * Architecture.levels),
            encoderLayers: try count(encoder), encoderFeedForward: try rows(encoder + "0.linear1.weight"),
            decoderLayers: try count(head + "transformer_ffn_layers."),
            decoderFeedForward: try rows(head + "transformer_ffn_layers.0.linear1.weight"),
            queries: try rows(head + "query_feat.weight"),
            textWidth: try rows(clip + "ln_final.weight"), textLayers: try count(clip + "transformer.resblocks."),
            vocabulary: try rows(clip + "token_embedding.weight"), context: try rows(clip + "positional_embedding"))
        try check(architecture)
        return architecture
    }

    private func check(_ architecture: Architecture) throws(Fault) {
        guard architecture.hidden % Architecture.groups == 0, architecture.hidden % architecture.heads == 0, architecture.points > 0 else {
            throw Fault("\(paths): a head \(architecture.hidden) wide with \(architecture.points) sampling points cannot be divided into \(architecture.heads) heads and \(Architecture.groups) groups")
        }
        guard architecture.textWidth % 64 == 0 else {
            throw Fault("\(paths): a text encoder \(architecture.textWidth) wide cannot be divided into heads of 64")
        }
        let layout = architecture.layout
        for (name, expected) in layout.sorted(by: { $0.key < $1.key }) {
            guard let shape = shape(name) else { throw missing(name) }
            guard shape == expected else {
                throw Fault("\(paths): tensor \(name) has shape \(shape), expected \(expected) from the other tensors")
            }
        }
        for name in names where layout[name] == nil {
            throw Fault("\(paths): tensor \(abbreviated(name)) is not one of FC-CLIP's with a ConvNeXt CLIP")
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

extension Architecture {
    /// Every tensor of the one-file layout with its shape (the original's PyTorch modules; text encoder included).
    public var layout: [String: [Int]] {
        var layout: [String: [Int]] = [:]

        func norm(_ name: String, _ width: Int) {
            layout[name + ".weight"] = [width]
            layout[name + ".bias"] = [width]
        }
        func linear(_ name: String, _ input: Int, _ output: Int, kernel: [Int] = [], bias: Bool = true) {
            layout[name + ".weight"] = [output, input] + kernel
            if bias { layout[name + ".bias"] = [output] }
        }
        func attention(_ name: String, _ width: Int) {
            layout[name + ".in_proj_weight"] = [3 * width, width]
            layout[name + ".in_proj_bias"] = [3 * width]
            linear(name + ".out_proj", width, width)
        }

        // CLIP's picture encoder.
        let clip = Checkpoint.clipPrefix, trunk = clip + "visual.trunk."
        linear(trunk + "stem.0", 3, dims[0], kernel: [4, 4])
        norm(trunk + "stem.1", dims[0])
        for stage in 0..<4 {
            let width = dims[stage]
            if stage > 0 {
                norm("\(trunk)stages.\(stage).downsample.0", dims[stage - 1])
                linear("\(trunk)stages.\(stage).downsample.1", dims[stage - 1], width, kernel: [2, 2])
            }
            for index in 0..<depths[stage] {
                let block = "\(trunk)stages.\(stage).blocks.\(index)."
                layout[block + "gamma"] = [width]
                linear(block + "conv_dw", 1, width, kernel: [7, 7])
                norm(block + "norm", width)
                linear(block + "mlp.fc1", width, 4 * width)
                linear(block + "mlp.fc2", 4 * width, width)
            }
        }
        norm(trunk + "head.norm", dims[3])
        if visualHidden > 0 {
            linear(clip + "visual.head.mlp.fc1", dims[3], visualHidden)
            linear(clip + "visual.head.mlp.fc2", visualHidden, embedding, bias: false)
        } else {
            linear(clip + "visual.head.proj", dims[3], embedding, bias: false)
        }

        // CLIP's text encoder.
        layout[clip + "token_embedding.weight"] = [vocabulary, textWidth]
        layout[clip + "positional_embedding"] = [context, textWidth]
        layout[clip + "text_projection"] = [textWidth, embedding]
        layout[clip + "logit_scale"] = []
        norm(clip + "ln_final", textWidth)
        for index in 0..<textLayers {
            let block = "\(clip)transformer.resblocks.\(index)."
            norm(block + "ln_1", textWidth)
            attention(block + "attn", textWidth)
            norm(block + "ln_2", textWidth)
            linear(block + "mlp.c_fc", textWidth, 4 * textWidth)
            linear(block + "mlp.c_proj", 4 * textWidth, textWidth)
        }

        // Pixel decoder; its maps go from the coarsest to the finest.
        let pixel = "sem_seg_head.pixel_decoder."
        for (index, width) in dims.dropFirst().reversed().enumerated() {
            linear("\(pixel)input_proj.\(index).0", width, hidden, kernel: [1, 1])
            norm("\(pixel)input_proj.\(index).1", hidden)
        }
        layout[pixel + "transformer.level_embed"] = [Architecture.levels, hidden]
        let samples = heads * Architecture.levels * points
        for index in 0..<encoderLayers {
            let layer = "\(pixel)transformer.encoder.layers.\(index)."
            linear(layer + "self_attn.sampling_offsets", hidden, 2 * samples)
            linear(layer + "self_attn.attention_weights", hidden, samples)
            linear(layer + "self_attn.value_proj", hidden, hidden)
            linear(layer + "self_attn.output_proj", hidden, hidden)
            norm(layer + "norm1", hidden)
            linear(layer + "linear1", hidden, encoderFeedForward)
            linear(layer + "linear2", encoderFeedForward, hidden)
            norm(layer + "norm2", hidden)
        }
        linear(pixel + "mask_features", hidden, hidden, kernel: [1, 1])
        linear(pixel + "adapter_1", dims[0], hidden, kernel: [1, 1], bias: false)
        norm(pixel + "adapter_1.norm", hidden)
        linear(pixel + "layer_1", hidden, hidden, kernel: [3, 3], bias: false)
        norm(pixel + "layer_1.norm", hidden)

        // Mask decoder.
        let predictor = "sem_seg_head.predictor."
        for index in 0..<decoderLayers {
            attention("\(predictor)transformer_cross_attention_layers.\(index).multihead_attn", hidden)
            norm("\(predictor)transformer_cross_attention_layers.\(index).norm", hidden)
            attention("\(predictor)transformer_self_attention_layers.\(index).self_attn", hidden)
            norm("\(predictor)transformer_self_attention_layers.\(index).norm", hidden)
            linear("\(predictor)transformer_ffn_layers.\(index).linear1", hidden, decoderFeedForward)
            linear("\(predictor)transformer_ffn_layers.\(index).linear2", decoderFeedForward, hidden)
            norm("\(predictor)transformer_ffn_layers.\(index).norm", hidden)
        }
        norm(predictor + "decoder_norm", hidden)
        layout[predictor + "query_feat.weight"] = [queries, hidden]
        layout[predictor + "query_embed.weight"] = [queries, hidden]
        layout[predictor + "level_embed.weight"] = [Architecture.levels, hidden]
        norm(predictor + "_mask_pooling_proj.0", hidden)
        linear(predictor + "_mask_pooling_proj.1", hidden, hidden)
        for index in 0..<3 {
            linear("\(predictor)mask_embed.layers.\(index)", hidden, hidden)
            linear("\(predictor)class_embed.layers.\(index)", hidden, index == 2 ? embedding : hidden)
        }
        layout[predictor + "logit_scale"] = []
        layout["void_embedding.weight"] = [1, embedding]
        return layout
    }
}
