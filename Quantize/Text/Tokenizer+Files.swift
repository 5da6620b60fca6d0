import Foundation
import System

extension Tokenizer {
    /// Reads a merges file in CLIP's form (`bpe_simple_vocab_16e6.txt`, plain or gzip-compressed) or a Hugging Face `tokenizer.json` of the same tokenizer.
    ///
    /// Content decides, not the name.
    /// - Parameter tokenCount: rows of the text encoder's token embedding; they determine how many of the file's merges are used.
    /// - Throws: when the file cannot be read or holds too few merges.
    public init(path: String, tokenCount: Int = clipTokenCount) throws(Fault) {
        guard tokenCount >= Self.fixedTokenCount else {
            throw Fault("a text encoder for \(tokenCount) tokens; byte-pair encoding has at least \(Self.fixedTokenCount)")
        }
        let count = tokenCount - Self.fixedTokenCount
        var content = try contents(of: path, limit: 1 << 26)
        if content.withUnsafeBytes(Gzip.matches) {
            content = try content.withUnsafeBufferPointer { (bytes) throws(Fault) in try Gzip.inflate(UnsafeRawBufferPointer(bytes), path: path, limit: 1 << 26)
            }
        }
        if content.starts(with: [0xEF, 0xBB, 0xBF]) { content.removeFirst(3) }
        let isJSON = content.first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) } == UInt8(ascii: "{")
        try self.init(merges: isJSON ? Self.mergesOfJSON(content, path: path) : Self.mergesOfText(content, count: count, path: path), count: count, path: path)
    }

    // MARK: - The two formats

    /// One merge a line, two symbols apart by a space, after one line of header. CLIP's file holds more merges than CLIP uses.
    private static func mergesOfText(_ content: [UInt8], count: Int, path: String) throws(Fault) -> [Merge] {
        guard let text = String(validating: content, as: UTF8.self) else {
            throw Fault("\(path): neither a merges file nor a tokenizer.json: not UTF-8 text")
        }
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        var merges = [Merge]()
        for (index, line) in lines.enumerated().dropFirst().prefix(count) {
            // The last line's end.
            if line.isEmpty, index == lines.count - 1 { break }
            guard let merge = merge(String(line)) else {
                throw Fault("\(path):\(index + 1): a merge is two symbols with a space between them; is this CLIP's bpe_simple_vocab_16e6.txt?")
            }
            merges.append(merge)
        }
        return merges
    }

    private static func mergesOfJSON(_ content: [UInt8], path: String) throws(Fault) -> [Merge] {
        let root: Any
        do { root = try JSONSerialization.jsonObject(with: Data(content)) } catch { throw Fault("\(path): not valid JSON") }
        guard let model = (root as? [String: Any])?["model"] as? [String: Any], let list = model["merges"] as? [Any] else {
            throw Fault("\(path): has no model.merges; is this a byte-pair tokenizer.json?")
        }
        var merges = [Merge]()
        for (index, entry) in list.enumerated() {
            let pair = entry as? [String]
            guard let merge = (entry as? String).flatMap(merge) ?? (pair?.count == 2 ? Merge(first: pair![0], second: pair![1]) : nil) else {
                throw Fault("\(path): model.merges[\(index)] is not two symbols")
            }
            merges.append(merge)
        }
        // Ids follow from the merges; a vocabulary with other ids belongs to another tokenizer.
        guard let vocabulary = model["vocab"] as? [String: Any] else { throw Fault("\(path): has no model.vocab") }
        for (index, merge) in merges.enumerated() where vocabulary[merge.first + merge.second] as? Int != 512 + index {
            throw Fault("\(path): model.vocab does not give \"\(merge.first)\(merge.second)\" the id \(512 + index) as CLIP does")
        }
        return merges
    }

    // MARK: - Merges to tokens

    /// Two symbols that become one; a symbol is written in the characters of `byteSymbols`, with `</w>` at a word's end.
    private struct Merge {
        let first, second: String
    }

    private static func merge(_ line: String) -> Merge? {
        let symbols = line.split(whereSeparator: \.isWhitespace)
        return symbols.count == 2 ? Merge(first: String(symbols[0]), second: String(symbols[1])) : nil
    }

    private init(merges: [Merge], count: Int, path: String) throws(Fault) {
        guard merges.count == count else {
            throw Fault("\(path): holds \(merges.count) merges, the text encoder's tokenizer has \(count)")
        }
        var tokens = [String: Int32](minimumCapacity: 512 + count)
        for (index, symbol) in Self.byteSymbols.enumerated() {
            tokens[symbol] = Int32(index)
            tokens[symbol + "</w>"] = Int32(256 + index)
        }
        var pairs = [Pair: Int32](minimumCapacity: count)
        for (index, merge) in merges.enumerated() {
            guard let first = tokens[merge.first], let second = tokens[merge.second] else {
                throw Fault("\(path): merge \(index + 1) (\"\(merge.first) \(merge.second)\") uses a symbol that no earlier merge makes")
            }
            let token = Int32(512 + index)
            pairs[Pair(first: first, second: second)] = token
            tokens[merge.first + merge.second] = token
        }
        self.init(merges: pairs, count: count)
    }
}
