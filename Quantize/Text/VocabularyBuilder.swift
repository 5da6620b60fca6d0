import CSystem
import Checkpoint
import Foundation
import Kernels
import ModelFormat
import System

/// Makes vocabulary files: class names and CLIP's text embeddings of them.
public struct VocabularyBuilder {
    private let checkpoint: Checkpoint
    private let tokenizer: Tokenizer
    private let encoder: TextEncoder

    /// What was written.
    public struct Summary: Sendable {
        public let categories, names, seen, things, prompts, embeddingWidth: Int
        /// The text encoder's.
        public let activation: TextArchitecture.Activation
    }

    /// - Parameter tokenizer: path of the text encoder's merges file or tokenizer.json.
    /// - Parameter activation: the text encoder's; nil: as far as the checkpoint's tensors tell.
    /// - Throws: when the checkpoint lacks CLIP's text encoder, or the tokenizer is not its own.
    public init(checkpoint: Checkpoint, tokenizer: String, activation: TextArchitecture.Activation? = nil) throws(Fault) {
        self.checkpoint = checkpoint
        encoder = try TextEncoder(checkpoint: checkpoint, activation: activation)
        self.tokenizer = try Tokenizer(path: tokenizer, tokenCount: encoder.tokenCount)
    }

    /// One row of length 1 for each name: its prompts' embeddings, each brought to length 1, averaged, and brought to length 1 again.
    ///
    /// - Parameter progress: called with the fraction done, 0...1.
    /// - Returns: names x embedding width, row-major.
    public func embeddings(of names: [String], progress: (Double) -> Void = { _ in }) -> [Float] {
        let prompts = names.flatMap { PromptTemplates.prompts(for: $0).map(tokenizer.encode) }
        let texts = encoder.encode(prompts) { progress(Double($0) / Double(prompts.count)) }
        return Self.average(texts, of: PromptTemplates.all.count, width: encoder.embeddingWidth)
    }

    /// Names that are too long for CLIP, and different names that have the same tokens, a line each.
    public func warnings(about list: NameList) -> [String] {
        var warnings: [String] = []
        var first: [[[Int32]]: String] = [:]
        for name in list.names {
            let prompts = PromptTemplates.prompts(for: name)
            if prompts.contains(where: tokenizer.isCut) {
                warnings.append("\"\(abbreviated(name))\" is cut: CLIP reads \(Tokenizer.contextLength) tokens of a prompt")
            }
            let tokens = prompts.map(tokenizer.encode)
            if let other = first[tokens] {
                // The list warns of names that are equal letter for letter.
                if other.lowercased() != name.lowercased() { warnings.append("\"\(abbreviated(name))\" is the same to CLIP as \"\(abbreviated(other))\"") }
            } else {
                first[tokens] = name
            }
        }
        return warnings
    }

    static func average(_ texts: [Float], of group: Int, width: Int) -> [Float] {
        var result = [Float]()
        result.reserveCapacity(texts.count / group)
        for start in stride(from: 0, to: texts.count, by: group * width) {
            var mean = [Float](repeating: 0, count: width)
            for text in stride(from: start, to: start + group * width, by: width) {
                let row = unit(texts[text..<text + width])
                for column in 0..<width { mean[column] += row[column] / Float(group) }
            }
            result += unit(mean[...])
        }
        return result
    }

    /// Divided by its Euclidean length, of which at least 1e-12 is assumed.
    private static func unit(_ row: ArraySlice<Float>) -> [Float] {
        let square = row.reduce(0.0) { $0 + Double($1) * Double($1) }
        let scale = Float(1 / max(square.squareRoot(), 1e-12))
        return row.map { $0 * scale }
    }

    /// Writes the vocabulary file of `list` to `path`.
    ///
    /// - Parameter training: the names the network was trained with; they decide which classes count as seen.
    /// - Throws: when an embedding is no number, as with damaged weights, or when the file cannot be written.
    @discardableResult
    public func write(
        _ list: NameList, training: NameList = .cocoPanoptic, to path: String, progress: (Double) -> Void = { _ in }
    ) throws(Fault) -> Summary {
        // Opens the output first: a path that cannot be written to fails at once, not after minutes of work.
        let writer = try GGUFWriter(path: path)
        let names = list.names
        let seen = list.seen(in: training)
        let rows = embeddings(of: names, progress: progress)
        for (index, name) in names.enumerated() {
            let row = rows[index * encoder.embeddingWidth..<(index + 1) * encoder.embeddingWidth]
            let square = row.reduce(0) { $0 + $1 * $1 }
            guard abs(square - 1) < 1e-3 else { throw Fault("\(path): the embedding of \"\(name)\" is not finite: are the weights damaged?") }
        }

        try writer.set("general.architecture", .string(Vocabulary.architecture))
        try writer.set("fcclip.vocabulary.version", .uint32(UInt32(Vocabulary.version)))
        try writer.set("fcclip.vocabulary.names", .strings(names))
        try writer.set("fcclip.vocabulary.category.name_count", .uint32s(list.categories.map { UInt32($0.names.count) }))
        try writer.set("fcclip.vocabulary.category.thing", .bools(list.categories.map(\.isThing)))
        try writer.set("fcclip.vocabulary.category.seen", .bools(seen))
        try writer.set("fcclip.vocabulary.category.colour", .uint32s(list.colours.map(\.value)))
        try writer.set("fcclip.vocabulary.category.id", .int32s(list.categories.map { Int32($0.id ?? -1) }))
        try writer.set("fcclip.vocabulary.templates", .strings(PromptTemplates.all))
        try writer.set("fcclip.vocabulary.training_names", .strings(training.names))
        try writer.set("fcclip.source.files", .strings(checkpoint.sources.map { URL(fileURLWithPath: $0.path).lastPathComponent }))
        try writer.set("fcclip.source.hashes", .strings(checkpoint.sources.map(\.hash)))
        try writer.set(Vocabulary.fingerprintKey, .string(try checkpoint.clipFingerprint()))
        try writer.declare(Vocabulary.embeddingsName, shape: [names.count, encoder.embeddingWidth], kind: .float32)
        try writer.append(Vocabulary.embeddingsName, rows)
        try writer.commit()
        return Summary(
            categories: list.categories.count, names: names.count, seen: seen.count { $0 }, things: list.categories.count { $0.isThing },
            prompts: names.count * PromptTemplates.all.count, embeddingWidth: encoder.embeddingWidth, activation: encoder.activation)
    }
}
