import Checkpoint
import Foundation
import Kernels
import ModelFormat
import TestSupport
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

    /// open_clip 3.3.0's TextTransformer in fp64 with each activation, on weights from a formula.
    @Test(arguments: [
        (TextArchitecture.Activation.gelu, [0.8192474377069158, -1.0153017814546483, 2.4891149625526383, -0.955167031618854] as [Float]),
        (.quickGELU, [0.822119776338194, -1.0192395524776843, 2.4932046350483423, -0.9556095549031484]),
    ])
    func activationsEqualOpenClips(activation: TextArchitecture.Activation, expected: [Float]) throws {
        let folder = try TestSupport.TemporaryFolder()
        let prefix = "backbone.clip_model."
        let layout = TextArchitecture(width: 64, layers: 2, vocabulary: 20, context: 77).layout(embedding: 4)
        let names = layout.keys.filter { !$0.hasSuffix("logit_scale") }.sorted()
        let tensors = names.enumerated().map { index, key in
            let name = String(key.dropFirst(prefix.count))
            let shape = layout[key] ?? []
            let values = (0..<shape.reduce(1, *)).map { element in
                let value = Float(Double((element * 37 + index * 101 + 11) % 211) / 211 - 0.5)
                if name.contains("ln_"), name.hasSuffix("weight") { return value + 1 }
                return shape.count == 2 && !name.contains("embedding") ? value * 0.5 : value
            }
            return TorchBuilder.Tensor(name, key: "\(index)", shape: shape, values)
        }
        let path = try folder.file("text.pt", TorchBuilder(tensors + [.init("logit_scale", key: "s", shape: [], [4.6])]).bytes())
        let checkpoint = try Checkpoint(textEncoderIn: [path])
        let encoder = try TextEncoder(checkpoint: checkpoint, activation: activation)
        #expect(encoder.activation == activation)
        #expect(relativeError(encoder.encode([[18, 5, 17, 3, 19]]), expected) < 2e-6)
        if activation == .gelu { #expect(try TextEncoder(checkpoint: checkpoint).activation == .gelu) }
    }

    @Test func quickGELUFollowsItsFormula() {
        var values: [Float] = (0..<64).map { Float($0 - 32) * 0.7 } + [0, -0.0, 1e-30, -1e-30, 40, -40, 88, -88, 1e10, -1e10, 0.5, -0.5, 1, -1, 2, -2]
        let expected = values.map { Float(Double($0) / (1 + exp(-1.702 * Double($0)))) }
        values.withUnsafeMutableBufferPointer { quickGELU($0.baseAddress!, count: $0.count) }
        for (value, expected) in zip(values, expected) { #expect(abs(value - expected) <= 1e-6 * max(abs(expected), 1e-3), "\(value) \(expected)") }
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
