import Kernels
import ModelFormat
import System

/// What the network says of one picture, before it is turned into segments.
public struct Prediction {
    /// Q x (H/4 W/4) mask logits, H x W the padded input.
    public let masks: Matrix
    public let maskSize: Size
    /// Q x (K + 1) probabilities of the classes and, last, of "no object"; rows sum to 1.
    public let probabilities: Matrix
    /// Q x (N + 1) scaled cosine similarities to every name, and void, of both classifiers.
    public let inVocabulary: Matrix
    public let outOfVocabulary: Matrix
}

/// FC-CLIP (arXiv 2308.02487) for one arithmetic: a picture to masks and class probabilities.
public final class SegmentationNetwork<A: Arithmetic> {
    public let arithmetic: A
    public let architecture: Architecture
    public let backbone: Backbone<A>
    public let pixelDecoder: PixelDecoder<A>
    public let maskDecoder: MaskDecoder<A>
    public let head: OpenVocabularyHead<A>
    public var weights = Ensemble()

    /// What depends on the input's size only.
    private struct Geometry {
        let padded: Size
        let levels: [Size]
        let ranges: [Range<Int>]
        let samplingTables: [PixelDecoder<A>.SamplingTables]
        let memoryTables: [MaskDecoder<A>.MemoryTables]
    }

    private var geometry: Geometry?
    private let base: ScratchMark
    private var reserved: ScratchMark

    /// Looks every parameter up. - Throws: when one is missing or has the wrong shape.
    public init(_ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        self.architecture = architecture
        backbone = try Backbone(arithmetic, architecture)
        pixelDecoder = try PixelDecoder(arithmetic, architecture)
        maskDecoder = try MaskDecoder(arithmetic, architecture)
        head = try OpenVocabularyHead(arithmetic, architecture)
        base = arithmetic.mark()
        reserved = base
    }

    /// Gives back what was for another size of pictures and reserves scratch memory, see `Arithmetic.reserve`, for the next.
    public func reserve(shared: Int, perThread: Int) {
        geometry = nil
        arithmetic.release(base)
        arithmetic.reserve(shared: shared, perThread: perThread)
        reserved = arithmetic.mark()
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

    /// Segments RGB8 `pixels` (row-major, `size`), padded on the right and below to `padded`, multiples of 32.
    ///
    /// The prediction lives in scratch memory: `body` reads it, then it is gone.
    /// `clock` is told the name of each stage as it ends.
    /// - Throws: what `body` throws.
    public func run<Result, Failure: Error>(
        _ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, classifier: Classifier,
        clock: (StaticString) -> Void = { _ in }, _ body: (Prediction) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let geometry = prepare(padded)
        let mark = arithmetic.mark()
        defer { arithmetic.release(mark) }
        let hidden = architecture.hidden
        let maskSize = Backbone<A>.size(stage: 0, of: padded)
        let tokens = arithmetic.matrix(rows: geometry.ranges[2].upperBound, columns: hidden)
        let features = arithmetic.matrix(rows: maskSize.area, columns: hidden)
        let maps = InlineArray<4, Matrix> { arithmetic.matrix(rows: Backbone<A>.size(stage: $0, of: padded).area, columns: architecture.dims[$0]) }

        backbone.run(pixels, size: size, padded: padded, maps: maps, clock: clock)

        pixelDecoder.project([maps[3], maps[2], maps[1]] as InlineArray<3, Matrix>, levels: geometry.levels, ranges: geometry.ranges, into: tokens)
        for layer in 0..<architecture.encoderLayers {
            pixelDecoder.encode(layer, tokens, levels: geometry.levels, ranges: geometry.ranges, tables: geometry.samplingTables[layer])
        }
        for level in 0..<3 { arithmetic.record("pd.multi_scale.\(level)", tokens.rows(geometry.ranges[level])) }
        pixelDecoder.maskFeatures(maps[0], size: maskSize, encoded: tokens.rows(geometry.ranges[2]), encodedSize: geometry.levels[2], into: features)
        clock("pixel decoder")

        let masks = arithmetic.matrix(rows: architecture.queries, columns: maskSize.area)
        let inner = arithmetic.matrix(rows: architecture.queries, columns: architecture.embedding)
        decode(tokens, features: features, maskSize: maskSize, geometry: geometry, classifier: classifier, masks: masks, embeddings: inner)
        clock("mask decoder")

        let outer = arithmetic.matrix(rows: architecture.queries, columns: architecture.embedding)
        let pooledSize = geometry.levels[0]
        let small = arithmetic.matrix(rows: architecture.queries, columns: pooledSize.area)
        arithmetic.parallel(masks.rows) { range in
            for query in range { resizeBilinearPlane(masks.row(query), from: maskSize, to: pooledSize, into: small.row(query)) }
        }
        head.embeddings(maps[3], logits: small, into: outer)
        let prediction = classify(inner: inner, outer: outer, masks: masks, maskSize: maskSize, classifier: classifier)
        clock("open-vocabulary head")
        return try body(prediction)
    }

    /// The mask decoder's layers and its last prediction head.
    private func decode(
        _ tokens: Matrix, features: Matrix, maskSize: Size, geometry: Geometry, classifier: Classifier, masks: Matrix, embeddings: Matrix
    ) {
        let mark = arithmetic.mark()
        let queries = architecture.queries
        let memory = InlineArray<3, A.Operand> { maskDecoder.memory(tokens.rows(geometry.ranges[$0]), level: $0) }
        let finest = maskDecoder.features(features)
        // Reducing the features once commutes with the mask product that every layer makes.
        let reduced = InlineArray<3, A.Operand> {
            let level = geometry.levels[$0]
            let smaller = arithmetic.matrix(rows: level.area, columns: features.columns)
            arithmetic.parallel(level.height) { lines in
                for line in lines {
                    arithmetic.perform(.resizedLine(ResizedLine(features, from: maskSize, to: level, line: line, into: smaller.row(line * level.width))))
                }
            }
            return maskDecoder.features(smaller)
        }
        let x = arithmetic.matrix(rows: queries, columns: architecture.hidden)
        x.base.update(from: maskDecoder.queries.base, count: x.count)
        let normed = arithmetic.matrix(rows: queries, columns: architecture.hidden)
        let layers = architecture.decoderLayers
        for index in 0...layers {
            let scratch = arithmetic.mark()
            let maskEmbeddings = maskDecoder.maskEmbeddings(x, before: index, normed: normed)
            arithmetic.record("dec.h\(index).decoder_norm", normed)
            arithmetic.record("dec.h\(index).mask_embed", maskEmbeddings)
            if index == layers || arithmetic.isTracing {
                arithmetic.masks(maskEmbeddings, features: finest, into: masks)
                arithmetic.record("dec.h\(index).mask_logits", masks)
                maskDecoder.classEmbeddings(normed: normed, logits: masks, features: finest, into: embeddings, trace: index)
                if arithmetic.isTracing, index < layers { recordClassLogits(embeddings, index: index, classifier: classifier) }
            }
            if index < layers {
                let level = index % 3
                let area = geometry.levels[level].area
                let wordsPerRow = (area + 63) / 64
                let blocked = BlockedKeys(words: arithmetic.words(wordsPerRow * queries), wordsPerRow: wordsPerRow)
                maskDecoder.blockedKeys(maskEmbeddings, features: reduced[level], tokens: area, into: blocked)
                if arithmetic.isTracing { recordBlocked(blocked, tokens: area, index: index) }
                maskDecoder.layer(index, x, memory: memory[level], tables: geometry.memoryTables[index], blocked: blocked)
            }
            arithmetic.release(scratch)
        }
        arithmetic.release(mark)
    }

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
        head.similarities(embeddings, scale: maskDecoder.scale, classifier: classifier, into: similarities)
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

    /// Both classifiers and their ensemble.
    private func classify(inner: Matrix, outer: Matrix, masks: Matrix, maskSize: Size, classifier: Classifier) -> Prediction {
        let queries = architecture.queries
        let names = classifier.embeddings.rows
        let classes = classifier.count
        let inVocabulary = arithmetic.matrix(rows: queries, columns: names + 1)
        let outOfVocabulary = arithmetic.matrix(rows: queries, columns: names + 1)
        let probabilities = arithmetic.matrix(rows: queries, columns: classes + 1)
        head.similarities(inner, scale: maskDecoder.scale, classifier: classifier, into: inVocabulary)
        head.similarities(outer, scale: head.scale, classifier: classifier, into: outOfVocabulary)
        let mark = arithmetic.mark()
        let innerLogits = arithmetic.matrix(rows: queries, columns: classes + 1)
        let outerLogits = arithmetic.matrix(rows: queries, columns: classes + 1)
        head.classLogits(inVocabulary, classifier: classifier, into: innerLogits)
        head.classLogits(outOfVocabulary, classifier: classifier, into: outerLogits)
        arithmetic.record("dec.h\(architecture.decoderLayers).class_logits", innerLogits)
        arithmetic.record("clip.out_vocab_logits", outerLogits)
        if arithmetic.isTracing { recordProbabilities(inner: innerLogits, outer: outerLogits, classes: classes) }
        head.ensemble(inVocabulary: innerLogits, outOfVocabulary: outerLogits, classifier: classifier, weights: weights, into: probabilities)
        arithmetic.record("prob.final", probabilities)
        arithmetic.release(mark)
        return Prediction(
            masks: masks, maskSize: maskSize, probabilities: probabilities, inVocabulary: inVocabulary, outOfVocabulary: outOfVocabulary)
    }
}
