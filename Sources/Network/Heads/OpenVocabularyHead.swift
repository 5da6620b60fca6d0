import Kernels
import ModelFormat
import System

/// A vocabulary as the classifiers use it: K classes with N names.
public struct Classifier {
    /// N x E, rows of length 1.
    public let embeddings: NameEmbeddings
    /// The names of each class: rows of `embeddings`.
    public let names: [Range<Int>]
    /// Whether a class has a name that is in the training vocabulary too.
    public let isSeen: [Bool]
    public let isThing: [Bool]

    public init(embeddings: NameEmbeddings, names: [Range<Int>], isSeen: [Bool], isThing: [Bool]) {
        (self.embeddings, self.names, self.isSeen, self.isThing) = (embeddings, names, isSeen, isThing)
    }

    public init(_ vocabulary: Vocabulary) {
        let categories = vocabulary.categories
        self.init(
            embeddings: vocabulary.embeddings, names: categories.map { $0.firstName..<$0.firstName + $0.nameCount },
            isSeen: categories.map { $0.isSeen }, isThing: categories.map { $0.isThing })
    }

    public var count: Int { names.count }
}

/// exp(logit scale), at most 100, from a 1 x 1 parameter.
func similarityScale(_ parameter: Matrix) -> Float {
    min(exponential(parameter[0, 0]), 100)
}

/// Open-vocabulary classification (FC-CLIP, section 3.3): CLIP's embeddings of masks, and the ensemble of both
/// classifiers.
public struct OpenVocabularyHead<A: Arithmetic> {
    let arithmetic: A
    let visualHead: VisualHead<A>
    /// Embedding of "no object", 1 x E, of length 1.
    public let void: Matrix
    /// Factor of the out-of-vocabulary classifier's cosine similarities: exp(logit scale), at most 100.
    public let scale: Float

    init(_ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        let name = "open_vocabulary."
        visualHead = try VisualHead(name, arithmetic, architecture)
        void = try arithmetic.parameter(name + "void", rows: 1, columns: architecture.embedding)
        scale = similarityScale(try arithmetic.parameter(name + "logit_scale", rows: 1, columns: 1))
    }

    /// CLIP's embedding (`result`: Q x E) of each mask: of `dense` (area x C, of `size`) where the mask's logits (Q x area) are
    /// positive.
    ///
    /// - Parameter says: Q x 1; becomes 0 where the classifier on the embedding has no say, else 1.
    public func embeddings(_ dense: Matrix, size: Size, logits: Matrix, into result: Matrix, says: Matrix) {
        let mark = arithmetic.mark()
        let inside = arithmetic.insideBits(of: logits)
        let words = (logits.columns + 63) / 64
        visualHead.embeddings(dense, size: size, inside: inside, wordsPerRow: words, into: result)
        arithmetic.compute {
            for query in 0..<says.rows {
                let isEmpty = (0..<words).allSatisfy { inside[query * words + $0] == 0 }
                says[query, 0] = isEmpty && visualHead.ignoresEmptyMasks ? 0 : 1
            }
        }
        arithmetic.record("clip.pooled", result)
        arithmetic.release(mark)
    }

    /// `result` (Q x (N + 1)) = `scale` times the cosine similarities of `embeddings` (Q x E, scaled to the length `scale` in place)
    /// to all `names` and, last, to void.
    func similarities(_ embeddings: Matrix, scale: Float, names: A.Comparands, into result: Matrix) {
        arithmetic.parallel(embeddings.rows) { range in
            for row in range { normalize(embeddings.row(row), count: embeddings.columns, length: scale) }
        }
        let mark = arithmetic.mark()
        arithmetic.similarity(embeddings, names, into: result)
        let voids = arithmetic.matrix(rows: embeddings.rows, columns: 1)
        arithmetic.similarity(embeddings, void, into: voids)
        arithmetic.compute {
            for row in 0..<result.rows { result[row, result.columns - 1] = voids[row, 0] }
        }
        arithmetic.release(mark)
    }

    /// `logits` (Q x (K + 1)) = the maximum of `similarities` (Q x (N + 1)) over each class's names; void last.
    func classLogits(_ similarities: Matrix, classifier: Classifier, into logits: Matrix) {
        arithmetic.parallel(logits.rows) { range in
            for row in range {
                for (category, names) in classifier.names.enumerated() {
                    var best = similarities[row, names.lowerBound]
                    for name in names { best = max(best, similarities[row, name]) }
                    logits[row, category] = best
                }
                logits[row, classifier.count] = similarities[row, similarities.columns - 1]
            }
        }
    }

    /// Geometric ensemble (FC-CLIP, equation 7) of both classifiers' logits (Q x (K + 1), void last), which are
    /// overwritten.
    ///
    /// - Parameters:
    ///   - says: Q x 1 factors of the out-of-vocabulary classifier's weight.
    ///   - result: Q x (K + 1) probabilities of the classes and, last, of void. Rows sum to 1.
    func ensemble(inVocabulary: Matrix, outOfVocabulary: Matrix, says: Matrix, classifier: Classifier, weights: Ensemble, into result: Matrix) {
        let classes = classifier.count
        arithmetic.parallel(result.rows) { range in
            for row in range {
                let inner = inVocabulary.row(row)
                let outer = outOfVocabulary.row(row)
                let mixed = result.row(row)
                mixed.update(from: inner, count: classes + 1)
                softmax(mixed, count: classes + 1)
                let void = mixed[classes]
                logSoftmax(inner, count: classes)
                logSoftmax(outer, count: classes)
                for category in 0..<classes {
                    let weight = says[row, 0] * (classifier.isSeen[category] ? weights.alpha : weights.beta)
                    mixed[category] = inner[category] * (1 - weight) + outer[category] * weight
                }
                softmax(mixed, count: classes)
                var total: Float = 0
                for category in 0..<classes {
                    mixed[category] = mixed[category] * (1 - void) + 1e-8
                    total += mixed[category]
                }
                mixed[classes] = void + 1e-8
                total += mixed[classes]
                for column in 0...classes { mixed[column] /= total }
            }
        }
    }
}

/// x / |x| * length, the norm at least 1e-12.
private func normalize(_ x: UnsafeMutablePointer<Float>, count: Int, length: Float) {
    let norm = max(dotProduct(x, x, count: count).squareRoot(), 1e-12)
    let factor = length / norm
    for index in 0..<count { x[index] *= factor }
}
