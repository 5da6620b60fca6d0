import Checkpoint
import Foundation
import System
import Testing
import Text

enum Fixtures {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Tests/Fixtures.
    static let folder = root.appendingPathComponent("Tests/Fixtures")

    /// The path of CLIP's merges file: `FCCLIP_TOKENIZER`, else the file that `Calibration/Vocabularies/tokenizer` fetches.
    static func tokenizerPath() throws -> String {
        let path = ProcessInfo.processInfo.environment["FCCLIP_TOKENIZER"] ?? root.appendingPathComponent(".build/tokenizer/bpe_simple_vocab_16e6.txt.gz").path
        guard FileManager.default.fileExists(atPath: path) else {
            throw Fault("\(path) is missing: run Calibration/Vocabularies/tokenizer, or set FCCLIP_TOKENIZER to CLIP's merges file")
        }
        return path
    }

    static func tokenizer() throws -> Tokenizer {
        try Tokenizer(path: tokenizerPath())
    }

    /// CLIP's merges file, unpacked.
    static func merges() throws -> [UInt8] {
        let path = try tokenizerPath()
        return try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes { try Gzip.inflate($0, path: path) }
    }

    /// The recorded checkpoint, head and CLIP; of CLIP's token embeddings only the rows that the recorded prompts use are not zero.
    static func checkpoint(in folder: TemporaryFolder) throws -> Checkpoint {
        let packed = Self.folder.appendingPathComponent("tiny/clip.safetensors.gz")
        let clip = folder.path("clip.safetensors")
        let bytes = try Data(contentsOf: packed).withUnsafeBytes { try Gzip.inflate($0, path: packed.path) }
        try Data(bytes).write(to: URL(fileURLWithPath: clip))
        return try Checkpoint(checkpoint: Self.folder.appendingPathComponent("tiny/head.pth").path, clip: clip)
    }

    /// What the original computed from the checkpoint's text encoder for the vocabularies `demo.txt` and `four.txt`: tensors
    /// `demo.tokens` (prompts x tokens, zero-padded), `demo.raw` (prompts x 64), `demo.classifier` (names + void x 64), `demo.name_count`,
    /// `demo.seen`, `demo.thing` (one a class), and the same for `four`.
    static func recorded() throws -> TensorFile {
        try TensorFile.open(path: folder.appendingPathComponent("tiny/text.safetensors").path)
    }

    static func names(_ vocabulary: String) throws -> NameList {
        try NameList(path: folder.appendingPathComponent("tiny/\(vocabulary).txt").path)
    }

    /// CLIP's merges in the layout of a Hugging Face `tokenizer.json`.
    ///
    /// - Parameter asPairs: newer files write a merge as `["a", "b"]`, older ones as `"a b"`.
    static func huggingFaceTokenizer(asPairs: Bool) throws -> Data {
        let lines = try String(decoding: merges(), as: UTF8.self).split(separator: "\n").dropFirst().prefix(Tokenizer.clipTokenCount - 514)
        let pairs = lines.map { $0.split(separator: " ").map(String.init) }
        var vocabulary = ["<|startoftext|>": 49_406, "<|endoftext|>": 49_407]
        for (index, pair) in pairs.enumerated() { vocabulary[pair.joined()] = 512 + index }
        let merges: [Any] = asPairs ? pairs : pairs.map { $0.joined(separator: " ") }
        let model: [String: Any] = ["type": "BPE", "end_of_word_suffix": "</w>", "vocab": vocabulary, "merges": merges]
        return try JSONSerialization.data(withJSONObject: ["version": "1.0", "model": model])
    }
}

/// A folder that is deleted with its owner.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("text-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }

    deinit { try? FileManager.default.removeItem(at: url) }
}
