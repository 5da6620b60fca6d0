import Foundation
import Kernels
import Testing

@testable import Text

/// The text encoder against the original implementation on the same weights.
@Suite struct TextEncoderTests {
    @Test(arguments: ["demo", "four"])
    func embeddingsEqualTheOriginals(vocabulary: String) throws {
        let folder = try TemporaryFolder()
        let checkpoint = try Fixtures.checkpoint(in: folder)
        let recorded = try Fixtures.recorded()
        let tokenizer = try Fixtures.tokenizer()
        let names = try Fixtures.names(vocabulary).names
        let tokens = try #require(recorded.tensor("\(vocabulary).tokens"))
        let raw = try #require(recorded.tensor("\(vocabulary).raw"))
        let classifier = try #require(recorded.tensor("\(vocabulary).classifier"))

        let prompts = names.flatMap(PromptTemplates.prompts).map(tokenizer.encode)
        #expect(prompts.count == tokens.shape[0])
        let padded = prompts.flatMap { prompt in prompt.map(Float.init) + [Float](repeating: 0, count: tokens.shape[1] - prompt.count) }
        #expect(padded == tokens.floats())

        let encoder = try TextEncoder(checkpoint: checkpoint)
        #expect(encoder.width == 128 && encoder.heads == 2 && encoder.embeddingWidth == 64)
        let rawError = relativeError(encoder.encode(prompts), raw.floats())
        #expect(rawError < 1e-5)

        let rows = try VocabularyBuilder(checkpoint: checkpoint, tokenizer: Fixtures.tokenizerPath()).embeddings(of: names)
        // The last row of the recorded classifier is the void embedding, which is the head's.
        let classifierError = relativeError(rows, Array(classifier.floats().prefix(names.count * 64)))
        #expect(classifierError < 1e-5)
        print("\(vocabulary): relative error of raw embeddings \(rawError), of the classifier \(classifierError)")
    }

    /// A prompt's embedding does not depend on which other prompts share the tree, nor on how they are divided into batches.
    @Test func batchesDoNotChangeEmbeddings() throws {
        let folder = try TemporaryFolder()
        let encoder = try TextEncoder(checkpoint: Fixtures.checkpoint(in: folder))
        let tokenizer = try Fixtures.tokenizer()
        let prompts = try Fixtures.names("demo").names.flatMap(PromptTemplates.prompts).map(tokenizer.encode)
        let together = encoder.encode(prompts)
        // GEMMs of other shapes sum in another order.
        for index in stride(from: 0, to: prompts.count, by: 11) {
            let row = Array(together[index * 64..<(index + 1) * 64])
            #expect(relativeError(row, encoder.encode([prompts[index]])) < 5e-6)
        }
        // More rows than one batch holds.
        var batches = 0
        let repeated = encoder.encode((0..<12).flatMap { copy in prompts.map { [Int32(copy)] + $0 } }, progress: { _ in batches += 1 })
        #expect(batches > 1)
        #expect(repeated.count == 12 * together.count && repeated.allSatisfy { $0.isFinite })
        #expect(encoder.encode([]).isEmpty)
    }

    @Test func longestTextIsEncoded() throws {
        let folder = try TemporaryFolder()
        let encoder = try TextEncoder(checkpoint: Fixtures.checkpoint(in: folder))
        let tokenizer = try Fixtures.tokenizer()
        let prompt = tokenizer.encode(String(repeating: "dog ", count: 200))
        #expect(prompt.count == 77 && encoder.encode([prompt]).allSatisfy { $0.isFinite })
    }

    @Test func equalBeginningsAreOnePath() {
        var tree = PrefixTree()
        tree.insert([1, 2, 3])
        tree.insert([1, 2, 4])
        tree.insert([1, 2])
        #expect(tree.tokens == [1, 2, 3, 4])
        #expect(tree.ends == [2, 3, 1])
        #expect(Array(tree.paths[tree.pathStarts[3]..<tree.pathStarts[4]]) == [0, 1, 3])
    }
}

/// Root mean square of the difference over that of `expected`.
private func relativeError(_ values: [Float], _ expected: [Float]) -> Double {
    guard values.count == expected.count else { return .infinity }
    let difference = zip(values, expected).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
    return (difference / expected.reduce(0.0) { $0 + pow(Double($1), 2) }).squareRoot()
}
