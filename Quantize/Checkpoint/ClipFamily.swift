/// What a segmentation head and the CLIP that it was trained on have in common; tells which CLIP each of them is or needs.
struct ClipFamily: Equatable {
    /// Channels of the picture encoder's four stages.
    let stages: [Int]
    /// Width of the joint embedding of pictures and texts.
    let embedding: Int

    /// The CLIPs of FC-CLIP's released heads: open_clip's and OpenAI's name, channels of the first stage (each further one has twice as many), width of
    /// the embedding, and where to get it.
    private static let released: [(name: String, channels: Int, embedding: Int, source: String)] = [
        (
            "ConvNeXt-L (convnext_large_d_320)", 192, 768,
            "open_clip_model.safetensors or open_clip_pytorch_model.bin from huggingface.co/laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup"
        ),
        ("RN50", 256, 1024, openAI("resnet50", "RN50")), ("RN101", 256, 512, openAI("resnet101", "RN101")),
        ("RN50x4", 320, 640, openAI("resnet50x4", "RN50x4")), ("RN50x16", 384, 768, openAI("resnet50x16", "RN50x16")),
        ("RN50x64", 512, 1024, openAI("resnet50x64", "RN50x64")),
    ]

    private static func openAI(_ repository: String, _ name: String) -> String {
        "open_clip_model.safetensors from huggingface.co/timm/\(repository)_clip.openai, or OpenAI's \(name).pt"
    }

    private var known: (name: String, channels: Int, embedding: Int, source: String)? {
        Self.released.first { clip in clip.embedding == embedding && stages == (0..<4).map { clip.channels << $0 } }
    }

    /// In a sentence: "CLIP RN50".
    var description: String {
        if let known { return "CLIP \(known.name)" }
        return "a CLIP whose stages have \(stages[0]), \(stages[1]), \(stages[2]) and \(stages[3]) channels, with embeddings \(embedding) wide"
    }

    /// Where to get this CLIP; nil where no released head needs it.
    var source: String? { known?.source }

    /// Whether this is one of OpenAI's ResNets.
    var isOpenAI: Bool { known?.name.hasPrefix("RN") ?? false }

    // MARK: - From shapes

    /// The CLIP that a head was trained on.
    /// - Parameter shape: the shape of a tensor by its name in the one-file layout.
    /// - Returns: nil if a tensor that tells it is missing or has no possible shape.
    init?(head shape: (String) -> [Int]?) {
        // The pixel decoder reads every stage; its inputs go from the coarsest to the finest.
        let inputs = ["adapter_1", "input_proj.2.0", "input_proj.1.0", "input_proj.0.0"].map { UpstreamNames.pixelDecoder + $0 + ".weight" }
        self.init(stages: inputs.map { shape($0)?.dropFirst().first }, embedding: shape(UpstreamNames.voidEmbedding)?.last)
    }

    /// The CLIP with these picture and text encoders; parameter and result as for heads.
    init?(clip shape: (String) -> [Int]?) {
        let last = (0..<4).map { stage in
            shape(UpstreamNames.resNetStage(stage) + "0.conv3.weight") ?? shape(UpstreamNames.trunk + "stages.\(stage).blocks.0.gamma")
        }
        self.init(stages: last.map { $0?.first }, embedding: shape(UpstreamNames.textProjection)?.last)
    }

    private init?(stages: [Int?], embedding: Int?) {
        guard let embedding, stages.allSatisfy({ $0 != nil }) else { return nil }
        self.stages = stages.compactMap(\.self)
        self.embedding = embedding
    }
}
