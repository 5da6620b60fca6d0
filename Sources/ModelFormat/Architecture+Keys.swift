import System

extension Architecture {
    /// One number of the architecture in a model file: its key, and how it is read from an architecture and put into one.
    struct Number {
        let key: String
        let get: @Sendable (Architecture) -> Int
        let set: @Sendable (inout Architecture, Int) -> Void

        init(_ key: String, _ get: @escaping @Sendable (Architecture) -> Int, _ set: @escaping @Sendable (inout Architecture, Int) -> Void) {
            self.key = key
            self.get = get
            self.set = set
        }
    }

    /// All of them but the backbone's, in the order in which a model file lists them.
    static let numbers: [Number] = [
        Number("fcclip.embedding_length", { $0.embedding }, { $0.embedding = $1 }),
        // 0 where the visual head has no hidden layer; attention pooling has a key of its own.
        Number("fcclip.visual_hidden_length", { $0.visualHidden }, { $0.visualHead = $1 > 0 ? .mlp(hidden: $1) : .projection }),
        Number("fcclip.hidden_length", { $0.hidden }, { $0.hidden = $1 }),
        Number("fcclip.head_count", { $0.heads }, { $0.heads = $1 }),
        Number("fcclip.point_count", { $0.points }, { $0.points = $1 }),
        Number("fcclip.encoder.layer_count", { $0.encoderLayers }, { $0.encoderLayers = $1 }),
        Number("fcclip.encoder.feed_forward_length", { $0.encoderFeedForward }, { $0.encoderFeedForward = $1 }),
        Number("fcclip.decoder.layer_count", { $0.decoderLayers }, { $0.decoderLayers = $1 }),
        Number("fcclip.decoder.feed_forward_length", { $0.decoderFeedForward }, { $0.decoderFeedForward = $1 }),
        Number("fcclip.query_count", { $0.queries }, { $0.queries = $1 }),
        Number("fcclip.text.length", { $0.text.width }, { $0.text.width = $1 }),
        Number("fcclip.text.layer_count", { $0.text.layers }, { $0.text.layers = $1 }),
        Number("fcclip.text.vocabulary_size", { $0.text.vocabulary }, { $0.text.vocabulary = $1 }),
        Number("fcclip.text.context_length", { $0.text.context }, { $0.text.context = $1 }),
    ]

    /// Whether the backbone is `convNeXtKind`, as in files without the key, or `resNetKind`.
    fileprivate static let kindKey = "fcclip.backbone.kind"
    fileprivate static let convNeXtKind = "convnext"
    fileprivate static let resNetKind = "resnet"
    /// Keys of the backbone's lists, which have a number for each stage.
    fileprivate static let depthsKey = "fcclip.backbone.depths"
    fileprivate static let dimsKey = "fcclip.backbone.dims"
    /// Only where the visual head pools by attention.
    fileprivate static let poolGridKey = "fcclip.attention_pool.grid"
    /// GELU in files without the key.
    fileprivate static let textActivationKey = "fcclip.text.activation"

    /// Reads and checks the architecture of a model file.
    /// - Throws: when a number is missing, out of range, or contradicts another.
    init(of file: GGUF) throws(Fault) {
        self.init(
            backbone: try Self.backbone(of: file), visualHead: .projection, embedding: 0, hidden: 0, heads: 0, points: 0, encoderLayers: 0,
            encoderFeedForward: 0, decoderLayers: 0, decoderFeedForward: 0, queries: 0,
            text: TextArchitecture(width: 0, layers: 0, vocabulary: 0, context: 0))
        for number in Self.numbers {
            let value = try file.integer(number.key)
            guard value >= 0, value <= 1 << 20 else { throw Fault("\(file.path): \(number.key) \(value) is out of range") }
            number.set(&self, value)
        }
        if file.has(Self.textActivationKey) {
            let name = try file.string(Self.textActivationKey)
            guard let activation = TextArchitecture.Activation(rawValue: name) else {
                throw Fault("\(file.path): the text encoder's activation is \(abbreviated(name)), which this program does not know")
            }
            text.activation = activation
        }
        if file.has(Self.poolGridKey) {
            let grid = try file.integer(Self.poolGridKey)
            guard (1...256).contains(grid), dims[3] % Self.poolHeadWidth == 0 else {
                throw Fault("\(file.path): attention pooling on a grid of \(grid) x \(grid) in \(dims[3]) channels is out of range")
            }
            visualHead = .attentionPool(grid: grid)
        }
        guard embedding > 0, heads > 0, hidden > 0, hidden % heads == 0, hidden % Self.groups == 0, (1...64).contains(points), heads <= 256,
            (1...100).contains(encoderLayers), (1...100).contains(decoderLayers), (1...10000).contains(queries), encoderFeedForward > 0,
            decoderFeedForward > 0
        else {
            throw Fault("\(file.path): the architecture's numbers contradict each other")
        }
    }

    private static func backbone(of file: GGUF) throws(Fault) -> Backbone {
        let depths = try file.integers(depthsKey)
        let dims = try file.integers(dimsKey)
        guard depths.count == 4, dims.count == 4, depths.allSatisfy({ (1...1000).contains($0) }), dims.allSatisfy({ (1...1 << 16).contains($0) }) else {
            throw Fault("\(file.path): four backbone stages are expected")
        }
        let kind = file.has(kindKey) ? try file.string(kindKey) : convNeXtKind
        switch kind {
        case convNeXtKind: return .convNeXt(depths: depths, dims: dims)
        case resNetKind:
            let backbone = Backbone.resNet(depths: depths, width: dims[0] / 4)
            guard backbone.dims == dims, dims[0] % 8 == 0 else { throw Fault("\(file.path): a ResNet's stages cannot have \(dims) channels") }
            return backbone
        default: throw Fault("\(file.path): the backbone is \(abbreviated(kind)), this program knows \(convNeXtKind) and \(resNetKind)")
        }
    }
}

extension GGUFWriter {
    /// Sets every number of `architecture`. - Throws: as `set(_:_:)` of one key does.
    public func set(_ architecture: Architecture) throws(Fault) {
        switch architecture.backbone {
        case .convNeXt: try set(Architecture.kindKey, .string(Architecture.convNeXtKind))
        case .resNet: try set(Architecture.kindKey, .string(Architecture.resNetKind))
        }
        try set(Architecture.depthsKey, .uint32s(architecture.depths.map { UInt32($0) }))
        try set(Architecture.dimsKey, .uint32s(architecture.dims.map { UInt32($0) }))
        if case .attentionPool(let grid) = architecture.visualHead { try set(Architecture.poolGridKey, .uint32(UInt32(grid))) }
        try set(Architecture.textActivationKey, .string(architecture.text.activation.rawValue))
        for number in Architecture.numbers { try set(number.key, .uint32(UInt32(number.get(architecture)))) }
    }
}
