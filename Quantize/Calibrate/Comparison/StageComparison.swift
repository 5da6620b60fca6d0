import CSystem
import Kernels
import Network
import Runtime
import System

/// Int8 against fp32 stage by stage: every stage gets the fp32 network's own input, so that errors do not pile up and a
/// stage answers for itself.
public final class StageComparison {
    private let float: SegmentationNetwork<FloatArithmetic>
    private let integer: SegmentationNetwork<IntegerArithmetic>
    private var names: [String] = []
    private var ratios: [String: SignalToNoise] = [:]

    public init(_ float: SegmentationNetwork<FloatArithmetic>, _ integer: SegmentationNetwork<IntegerArithmetic>) throws(Fault) {
        guard float.architecture == integer.architecture else { throw Fault("the model file was not made from this checkpoint: their architectures differ") }
        self.float = float
        self.integer = integer
    }

    /// Stages in network order, over all pictures added.
    public var fidelities: [Fidelity] {
        names.map { Fidelity(name: $0, decibels: ratios[$0]?.decibels ?? .infinity) }
    }

    private func note(_ name: String, _ reference: Matrix, _ other: Matrix) {
        if ratios[name] == nil { names.append(name) }
        ratios[name, default: SignalToNoise()].add(reference, other)
    }

    /// Compares one picture, RGB8 `pixels` of `size` padded to `padded`.
    public func add(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size) {
        let arithmetic = float.arithmetic
        let marks = (arithmetic.mark(), integer.arithmetic.mark())
        let maps = backbone(pixels, size: size, padded: padded)
        let levels = PixelDecoder<FloatArithmetic>.levels(of: padded)
        let ranges = PixelDecoder<FloatArithmetic>.ranges(levels)
        let (tokens, features) = pixelDecoder(maps, levels: levels, ranges: ranges, padded: padded)
        let masks = maskDecoder(tokens, features: features, maskSize: Backbone<FloatArithmetic>.size(stage: 0, of: padded), levels: levels, ranges: ranges)
        openVocabularyHead(maps[3], size: levels[0], masks: masks, maskSize: Backbone<FloatArithmetic>.size(stage: 0, of: padded))
        arithmetic.release(marks.0)
        integer.arithmetic.release(marks.1)
    }

    private func copy(_ values: Matrix) -> Matrix {
        let result = float.arithmetic.matrix(rows: values.rows, columns: values.columns)
        result.base.update(from: values.base, count: values.count)
        return result
    }

    private func backbone(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size) -> [Matrix] {
        let sizes = (0..<4).map { Backbone<FloatArithmetic>.size(stage: $0, of: padded) }
        let maps = (0..<4).map { float.arithmetic.matrix(rows: sizes[$0].area, columns: float.architecture.dims[$0]) }
        float.backbone.stem(pixels, size: size, padded: padded, into: maps[0])
        let other = copy(maps[0])
        integer.backbone.stem(pixels, size: size, padded: padded, into: other)
        note("stem", maps[0], other)
        for stage in 0..<4 {
            let previous = stage == 0 ? nil : maps[stage - 1]
            let previousSize = sizes[max(stage - 1, 0)]
            let other = copy(maps[stage])
            float.backbone.stage(stage, from: previous, previousSize: previousSize, map: maps[stage], size: sizes[stage])
            integer.backbone.stage(stage, from: previous, previousSize: previousSize, map: other, size: sizes[stage])
            note("backbone stage \(stage)", maps[stage], other)
        }
        return maps
    }

    private func pixelDecoder(_ maps: [Matrix], levels: [Size], ranges: [Range<Int>], padded: Size) -> (tokens: Matrix, features: Matrix) {
        let hidden = float.architecture.hidden
        let sources: InlineArray<3, Matrix> = [maps[3], maps[2], maps[1]]
        let tokens = float.arithmetic.matrix(rows: ranges[2].upperBound, columns: hidden)
        let other = copy(tokens)
        float.pixelDecoder.project(sources, levels: levels, ranges: ranges, into: tokens)
        integer.pixelDecoder.project(sources, levels: levels, ranges: ranges, into: other)
        note("input projections", tokens, other)
        let tables = float.pixelDecoder.samplingTables(levels)
        let integerTables = integer.pixelDecoder.samplingTables(levels)
        for layer in 0..<float.architecture.encoderLayers {
            let other = copy(tokens)
            float.pixelDecoder.encode(layer, tokens, levels: levels, ranges: ranges, tables: tables[layer])
            integer.pixelDecoder.encode(layer, other, levels: levels, ranges: ranges, tables: integerTables[layer])
            note("encoder layer \(layer)", tokens, other)
        }
        let size = Backbone<FloatArithmetic>.size(stage: 0, of: padded)
        let features = float.arithmetic.matrix(rows: size.area, columns: hidden)
        let otherFeatures = copy(features)
        let encoded = tokens.rows(ranges[2])
        float.pixelDecoder.maskFeatures(maps[0], size: size, encoded: encoded, encodedSize: levels[2], into: features)
        integer.pixelDecoder.maskFeatures(maps[0], size: size, encoded: encoded, encodedSize: levels[2], into: otherFeatures)
        note("mask features", features, otherFeatures)
        return (tokens, features)
    }

    /// - Returns: the mask logits.
    private func maskDecoder(_ tokens: Matrix, features: Matrix, maskSize: Size, levels: [Size], ranges: [Range<Int>]) -> Matrix {
        let arithmetic = float.arithmetic
        let decoder = float.maskDecoder
        let other = integer.maskDecoder
        let tables = decoder.memoryTables(levels)
        let otherTables = other.memoryTables(levels)
        let x = copy(decoder.queries)
        let normed = copy(x)
        let otherNormed = copy(x)
        let reduced = levels.map { level in
            let smaller = arithmetic.matrix(rows: level.area, columns: features.columns)
            resizeBilinear(features, from: maskSize, to: level, into: smaller)
            return smaller
        }
        for layer in 0..<float.architecture.decoderLayers {
            let level = layer % 3
            let tokensOfLevel = tokens.rows(ranges[level])
            let wordsPerRow = (levels[level].area + 63) / 64
            let blocked = BlockedKeys(words: arithmetic.words(wordsPerRow * x.rows), wordsPerRow: wordsPerRow)
            decoder.blockedKeys(
                decoder.maskEmbeddings(x, normed: normed), features: decoder.features(reduced[level]), tokens: levels[level].area, into: blocked)
            let result = copy(x)
            other.layer(layer, result, memory: other.memory(tokensOfLevel, level: level), tables: otherTables[layer], blocked: blocked)
            decoder.layer(layer, x, memory: decoder.memory(tokensOfLevel, level: level), tables: tables[layer], blocked: blocked)
            note("decoder layer \(layer)", x, result)
        }
        let masks = arithmetic.matrix(rows: x.rows, columns: features.rows)
        let otherMasks = copy(masks)
        arithmetic.masks(decoder.maskEmbeddings(x, normed: normed), features: decoder.features(features), into: masks)
        integer.arithmetic.masks(other.maskEmbeddings(x, normed: otherNormed), features: other.features(features), into: otherMasks)
        note("mask logits", masks, otherMasks)
        let classes = arithmetic.matrix(rows: x.rows, columns: float.architecture.embedding)
        let otherClasses = copy(classes)
        decoder.classEmbeddings(normed: normed, logits: masks, features: decoder.features(features), into: classes, trace: 0)
        other.classEmbeddings(normed: normed, logits: masks, features: other.features(features), into: otherClasses, trace: 0)
        note("class embeddings", classes, otherClasses)
        return masks
    }

    private func openVocabularyHead(_ dense: Matrix, size: Size, masks: Matrix, maskSize: Size) {
        let arithmetic = float.arithmetic
        let logits = arithmetic.matrix(rows: masks.rows, columns: size.area)
        for query in 0..<masks.rows { resizeBilinearPlane(masks.row(query), from: maskSize, to: size, into: logits.row(query)) }
        let embeddings = arithmetic.matrix(rows: masks.rows, columns: float.architecture.embedding)
        let other = copy(embeddings)
        float.head.embeddings(dense, logits: logits, into: embeddings)
        integer.head.embeddings(dense, logits: logits, into: other)
        note("open-vocabulary head", embeddings, other)
    }
}
