import Kernels
import ModelFormat
import System

/// The network's result for one picture, from which `Segmenter` makes segments.
public struct Prediction {
    /// Q x (H/4 W/4) mask logits, where H x W is the padded input's size.
    public let masks: Matrix
    public let maskSize: Size
    /// Q x (K + 1) probabilities of the K classes and, last, of "no object". Rows sum to 1.
    public let probabilities: Matrix
    /// Q x (N + 1) scaled cosine similarities to the N names and, last, to void, of the in-vocabulary classifier.
    public let inVocabulary: Matrix
    /// As `inVocabulary`, of the out-of-vocabulary classifier.
    public let outOfVocabulary: Matrix
}

/// FC-CLIP (arXiv 2308.02487) for one arithmetic: a picture to masks and class probabilities.
public final class SegmentationNetwork<A: Arithmetic> {
    public let arithmetic: A
    public let architecture: Architecture
    let backbone: Backbone<A>
    let pixelDecoder: PixelDecoder<A>
    let maskDecoder: MaskDecoder<A>
    let head: OpenVocabularyHead<A>
    /// Weights of the two classifiers in the ensemble.
    public var weights = Ensemble()
    private let stages: [Stage]

    /// What depends only on the input's size.
    struct Geometry {
        let padded: Size
        /// Strides 32, 16 and 8.
        let levels: [Size]
        /// Rows of each level among the tokens.
        let ranges: [Range<Int>]
        let samplingTables: [PixelDecoder<A>.SamplingTables]
        let memoryTables: [MaskDecoder<A>.MemoryTables]
    }

    private var geometry: Geometry?
    /// Where scratch memory begins behind what the network keeps for good.
    private let base: ScratchMark
    /// Where reserved scratch memory begins.
    private var reserved: ScratchMark

    /// Looks up every parameter. - Throws: when one is missing or has the wrong shape.
    public init(_ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        self.architecture = architecture
        backbone = try Backbone(arithmetic, architecture)
        pixelDecoder = try PixelDecoder(arithmetic, architecture)
        maskDecoder = try MaskDecoder(arithmetic, architecture)
        head = try OpenVocabularyHead(arithmetic, architecture)
        stages = Stage.order(architecture)
        base = arithmetic.mark()
        reserved = base
    }

    // MARK: Memory

    /// Frees the tables for another input size and reserves scratch memory, in bytes, for the next (see
    /// `Arithmetic.reserve`).
    public func reserve(shared: Int, perThread: Int) {
        geometry = nil
        arithmetic.release(base)
        arithmetic.reserve(shared: shared, perThread: perThread)
        reserved = arithmetic.mark()
    }

    /// Runs all stages for an input of `size` that has no pixels, the tables for the size included, then `body`.
    ///
    /// Only for an arithmetic that counts memory and computes nothing: what it counts is what `run` takes.
    public func dryRun(size: Size, padded: Size, classifier: Classifier, _ body: (Prediction) -> Void) {
        let before = reserved
        geometry = nil
        reserved = arithmetic.mark()
        run(arithmetic.scratch(UInt8.self, count: 0), size: size, padded: padded, classifier: classifier, body)
        // The tables hold nothing.
        geometry = nil
        reserved = before
    }

    private func prepare(_ padded: Size) -> Geometry {
        if let geometry, geometry.padded == padded { return geometry }
        arithmetic.release(reserved)
        let levels = PixelDecoder<A>.levels(of: padded)
        let prepared = Geometry(
            padded: padded, levels: levels, ranges: PixelDecoder<A>.ranges(levels),
            samplingTables: pixelDecoder.samplingTables(levels), memoryTables: maskDecoder.memoryTables(levels))
        geometry = prepared
        return prepared
    }

    // MARK: Stages

    /// Segments RGB8 `pixels` (row-major, `size`), padded on the right and below to `padded`, multiples of 32.
    ///
    /// - Parameters:
    ///   - clock: called at the end of each part of the network with the part's name.
    ///   - body: reads the prediction, which lives in scratch memory until `body` returns.
    /// - Throws: what `body` throws.
    public func run<Result, Failure: Error>(
        _ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, classifier: Classifier,
        clock: (StaticString) -> Void = { _ in }, _ body: (Prediction) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withActivations(pixels, size: size, padded: padded, classifier: classifier) { (activations: inout Activations<A>) throws(Failure) -> Result in
            for stage in stages {
                perform(stage, &activations)
                if let part = stage.endOfPart { clock(part) }
            }
            return try body(activations.prediction!)
        }
    }

    /// Calls `body` with the activations of one picture before its first stage. They live until `body` returns.
    /// Parameters as in `run`.
    public func withActivations<Result, Failure: Error>(
        _ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, classifier: Classifier, _ body: (inout Activations<A>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let geometry = prepare(padded)
        let mark = arithmetic.mark()
        defer { arithmetic.release(mark) }
        let memory = SharedMaps(
            padded: padded, tokens: geometry.ranges[2].upperBound, architecture, stemChannels: backbone.separateStemChannels, arithmetic)
        var activations = Activations<A>(pixels: pixels, size: size, padded: padded, classifier: classifier, geometry: geometry, memory: memory)
        return try body(&activations)
    }

    /// Performs one stage.
    ///
    /// - Precondition: all stages before it in `Stage.order(_:)` were performed on `activations`.
    public func perform(_ stage: Stage, _ activations: inout Activations<A>) {
        var spare = activations.memory.spare(during: stage)
        if case .attentionMask = stage { spare = activations.decoder!.spare }
        if case .decoderLayer = stage { spare = activations.decoder!.spare }
        if case .openVocabularyHead = stage { makeClipResults(&activations) }
        guard let spare else { return performInScratch(stage, &activations) }
        arithmetic.withScratch(in: spare) { performInScratch(stage, &activations) }
    }

    private func performInScratch(_ stage: Stage, _ activations: inout Activations<A>) {
        let geometry = activations.geometry
        let maps = activations.memory.maps
        let tokens = activations.memory.tokens
        let maskSize = Backbone<A>.size(stage: 0, of: activations.padded)
        switch stage {
        case .stem:
            backbone.stem(activations.pixels, size: activations.size, padded: activations.padded, into: activations.memory.stem)
        case .backbone(let index):
            let previous = index == 0 ? activations.memory.stem : maps[index - 1]
            backbone.stage(index, from: previous, map: maps[index], size: Backbone<A>.size(stage: index, of: activations.padded))
            arithmetic.record("res\(index + 2)", maps[index])
            if index == 3 { arithmetic.record("clip_vis_dense", maps[3]) }
        case .inputProjections:
            pixelDecoder.project([maps[3], maps[2], maps[1]] as InlineArray<3, Matrix>, levels: geometry.levels, ranges: geometry.ranges, into: tokens)
        case .encoderLayer(let index):
            pixelDecoder.encode(index, tokens, levels: geometry.levels, ranges: geometry.ranges, tables: geometry.samplingTables[index])
        case .maskFeatures:
            for level in 0..<3 { arithmetic.record("pd.multi_scale.\(level)", tokens.rows(geometry.ranges[level])) }
            pixelDecoder.maskFeatures(
                maps[0], size: maskSize, encoded: tokens.rows(geometry.ranges[2]), encodedSize: geometry.levels[2], into: activations.memory.features)
        case .decoderInput:
            // Behind the pixel decoder, whose scratch memory is free again.
            activations.classEmbeddings = arithmetic.matrix(rows: architecture.queries, columns: architecture.embedding)
            activations.decoder = decoderInput(tokens, activations.memory, maskSize: maskSize, geometry: geometry)
        case .attentionMask(let index):
            attentionMask(index, &activations)
        case .decoderLayer(let index):
            let decoder = activations.decoder!
            maskDecoder.layer(
                index, decoder.queries, memory: decoder.memory[Architecture.level(ofDecoderLayer: index)], tables: geometry.memoryTables[index],
                blocked: decoder.blocked)
        case .maskLogits:
            let scratch = arithmetic.mark()
            let embeddings = maskEmbeddings(before: architecture.decoderLayers, activations.decoder!)
            maskLogits(embeddings, before: architecture.decoderLayers, activations)
            arithmetic.release(scratch)
        case .classEmbeddings:
            classEmbeddings(before: architecture.decoderLayers, activations)
            arithmetic.release(activations.decoder!.mark)
            activations.decoder = nil
        case .openVocabularyHead:
            clipEmbeddings(
                maps[3], masks: activations.memory.masks, maskSize: maskSize, size: geometry.levels[0], into: activations.clipEmbeddings!,
                says: activations.clipSays!)
        case .classification:
            activations.prediction = classify(
                inner: activations.classEmbeddings!, outer: activations.clipEmbeddings!, says: activations.clipSays!, masks: activations.memory.masks,
                maskSize: maskSize, classifier: activations.classifier)
        }
    }

    /// Takes the memory of what `.openVocabularyHead` writes, which outlives it.
    private func makeClipResults(_ activations: inout Activations<A>) {
        activations.clipEmbeddings = arithmetic.matrix(rows: architecture.queries, columns: architecture.embedding)
        activations.clipSays = arithmetic.matrix(rows: architecture.queries, columns: 1)
    }

    private func decoderInput(_ tokens: Matrix, _ memory: SharedMaps, maskSize: Size, geometry: Geometry) -> DecoderActivations<A> {
        let mark = arithmetic.mark()
        let finest = maskDecoder.features(memory.features)
        // Traced, the masks are written before every layer.
        let unused = arithmetic.isTracing ? memory.first.dropping(memory.first.count) : memory.first
        var levels: InlineArray<3, A.Operand>?
        var reduced: InlineArray<3, A.Operand>?
        let used = arithmetic.withScratch(in: unused) {
            levels = InlineArray { maskDecoder.memory(tokens.rows(geometry.ranges[$0]), level: $0) }
            // Reducing the features once commutes with the dot products of every layer's mask logits.
            reduced = InlineArray { maskDecoder.features(memory.features, from: maskSize, to: geometry.levels[$0]) }
        }
        let queries = arithmetic.matrix(rows: architecture.queries, columns: architecture.hidden)
        arithmetic.compute { queries.base.update(from: maskDecoder.queries.base, count: queries.count) }
        let normed = arithmetic.matrix(rows: architecture.queries, columns: architecture.hidden)
        let wordsPerRow = (geometry.levels[2].area + 63) / 64
        let words = arithmetic.scratch(UInt64.self, count: wordsPerRow * architecture.queries)
        return DecoderActivations(
            memory: levels!, features: finest, reduced: reduced!, queries: queries, normed: normed,
            blocked: BlockedKeys(words: words, wordsPerRow: wordsPerRow), mark: mark, spare: unused.dropping(used))
    }

    /// Mask embeddings of the queries before layer `index`, in scratch memory.
    private func maskEmbeddings(before index: Int, _ decoder: DecoderActivations<A>) -> A.Operand {
        let embeddings = maskDecoder.maskEmbeddings(decoder.queries, before: index, normed: decoder.normed)
        arithmetic.record("dec.h\(index).decoder_norm", decoder.normed)
        arithmetic.record("dec.h\(index).mask_embed", embeddings)
        return embeddings
    }

    private func maskLogits(_ embeddings: A.Operand, before index: Int, _ activations: Activations<A>) {
        arithmetic.masks(embeddings, features: activations.decoder!.features, into: activations.memory.masks)
        arithmetic.record("dec.h\(index).mask_logits", activations.memory.masks)
    }

    private func classEmbeddings(before index: Int, _ activations: Activations<A>) {
        let decoder = activations.decoder!
        maskDecoder.classEmbeddings(
            normed: decoder.normed, logits: activations.memory.masks, features: decoder.features, into: activations.classEmbeddings!, trace: index)
    }

    private func attentionMask(_ index: Int, _ activations: inout Activations<A>) {
        let scratch = arithmetic.mark()
        let decoder = activations.decoder!
        let level = Architecture.level(ofDecoderLayer: index)
        let area = activations.geometry.levels[level].area
        let embeddings = maskEmbeddings(before: index, decoder)
        if arithmetic.isTracing {
            maskLogits(embeddings, before: index, activations)
            classEmbeddings(before: index, activations)
            recordClassLogits(activations.classEmbeddings!, index: index, classifier: activations.classifier)
        }
        let blocked = BlockedKeys(words: decoder.blocked.words, wordsPerRow: (area + 63) / 64)
        maskDecoder.blockedKeys(embeddings, features: decoder.reduced[level], tokens: area, into: blocked)
        if arithmetic.isTracing { recordBlocked(blocked, tokens: area, index: index) }
        activations.decoder!.blocked = blocked
        arithmetic.release(scratch)
    }

    /// CLIP's embedding of each mask, and `says` (`OpenVocabularyHead.embeddings`): `masks` are resized to `size`, that of `dense`.
    private func clipEmbeddings(_ dense: Matrix, masks: Matrix, maskSize: Size, size: Size, into embeddings: Matrix, says: Matrix) {
        let mark = arithmetic.mark()
        let small = arithmetic.matrix(rows: architecture.queries, columns: size.area)
        arithmetic.parallel(masks.rows) { range in
            for query in range { resizeBilinearPlane(masks.row(query), from: maskSize, to: size, into: small.row(query)) }
        }
        head.embeddings(dense, size: size, logits: small, into: embeddings, says: says)
        arithmetic.release(mark)
    }

    // MARK: Recording

    private func recordBlocked(_ blocked: BlockedKeys, tokens: Int, index: Int) {
        let mark = arithmetic.mark()
        let bits = arithmetic.matrix(rows: architecture.queries, columns: tokens)
        for query in 0..<bits.rows {
            for token in 0..<tokens { bits[query, token] = Float(blocked.row(query)[token >> 6] >> UInt64(token & 63) & 1) }
        }
        arithmetic.record("dec.h\(index).attn_mask", bits)
        arithmetic.release(mark)
    }

    private func recordClassLogits(_ embeddings: Matrix, index: Int, classifier: Classifier) {
        let mark = arithmetic.mark()
        let similarities = arithmetic.matrix(rows: embeddings.rows, columns: classifier.embeddings.rows + 1)
        let logits = arithmetic.matrix(rows: embeddings.rows, columns: classifier.count + 1)
        classifier.embeddings.withValues {
            head.similarities(embeddings, scale: maskDecoder.scale, names: arithmetic.comparands($0), into: similarities)
        }
        head.classLogits(similarities, classifier: classifier, into: logits)
        arithmetic.record("dec.h\(index).class_logits", logits)
        arithmetic.release(mark)
    }

    private func recordProbabilities(inner: Matrix, outer: Matrix, classes: Int) {
        let mark = arithmetic.mark()
        for (name, logits) in [("prob.in_vocab", inner), ("prob.out_vocab", outer)] {
            let probabilities = arithmetic.matrix(rows: logits.rows, columns: classes)
            for row in 0..<logits.rows {
                probabilities.row(row).update(from: logits.row(row), count: classes)
                softmax(probabilities.row(row), count: classes)
            }
            arithmetic.record(name, probabilities)
        }
        let all = arithmetic.matrix(rows: 1, columns: classes + 1)
        let void = arithmetic.matrix(rows: inner.rows, columns: 1)
        for row in 0..<inner.rows {
            all.base.update(from: inner.row(row), count: classes + 1)
            softmax(all.base, count: classes + 1)
            void[row, 0] = all[0, classes]
        }
        arithmetic.record("prob.void", void)
        arithmetic.release(mark)
    }

    // MARK: Classification

    /// Both classifiers and their ensemble.
    private func classify(inner: Matrix, outer: Matrix, says: Matrix, masks: Matrix, maskSize: Size, classifier: Classifier) -> Prediction {
        let queries = architecture.queries
        let names = classifier.embeddings.rows
        let classes = classifier.count
        let inVocabulary = arithmetic.matrix(rows: queries, columns: names + 1)
        let outOfVocabulary = arithmetic.matrix(rows: queries, columns: names + 1)
        let probabilities = arithmetic.matrix(rows: queries, columns: classes + 1)
        let mark = arithmetic.mark()
        classifier.embeddings.withValues {
            let names = arithmetic.comparands($0)
            head.similarities(inner, scale: maskDecoder.scale, names: names, into: inVocabulary)
            head.similarities(outer, scale: head.scale, names: names, into: outOfVocabulary)
        }
        let innerLogits = arithmetic.matrix(rows: queries, columns: classes + 1)
        let outerLogits = arithmetic.matrix(rows: queries, columns: classes + 1)
        head.classLogits(inVocabulary, classifier: classifier, into: innerLogits)
        head.classLogits(outOfVocabulary, classifier: classifier, into: outerLogits)
        arithmetic.record("dec.h\(architecture.decoderLayers).class_logits", innerLogits)
        arithmetic.record("clip.out_vocab_logits", outerLogits)
        if arithmetic.isTracing { recordProbabilities(inner: innerLogits, outer: outerLogits, classes: classes) }
        head.ensemble(
            inVocabulary: innerLogits, outOfVocabulary: outerLogits, says: says, classifier: classifier, weights: weights, into: probabilities)
        arithmetic.record("prob.final", probabilities)
        arithmetic.release(mark)
        return Prediction(
            masks: masks, maskSize: maskSize, probabilities: probabilities, inVocabulary: inVocabulary, outOfVocabulary: outOfVocabulary)
    }
}
