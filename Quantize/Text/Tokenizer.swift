/// CLIP's tokenizer: byte-level byte-pair encoding of cleaned, lower-case text (Radford et al. 2021, section 2.4; Sennrich et al. 2016).
///
/// Token ids: 0..<256 a byte, 256..<512 a byte that ends a word, then one id a merge in the order learned, then start and end of text.
public struct Tokenizer: Sendable {
    /// Number of tokens in CLIP's own vocabulary: two for each byte, 48,894 merges, start and end. CLIPs trained elsewhere may have fewer.
    public static let clipTokenCount = 49_408
    /// Tokens that are no merges.
    static let fixedTokenCount = 2 * 256 + 2
    public let startToken, endToken: Int32
    /// Tokens of a text at most, start and end included: the rows of CLIP's positional embedding.
    public static let contextLength = 77

    /// The token that two adjacent tokens merge into; the smaller, the earlier it was learned and the sooner it is applied.
    private let merges: [Pair: Int32]

    struct Pair: Hashable {
        let first, second: Int32
    }

    /// - Parameter merges: for each pair of tokens the token it becomes, `count` different ones.
    init(merges: [Pair: Int32], count: Int) {
        self.merges = merges
        startToken = Int32(512 + count)
        endToken = startToken + 1
    }

    /// Start token, the text's tokens, end token: 2...77 ids. A longer text is cut and still ends with the end token;
    /// so is one that spells out `<end_of_text>`, as CLIP reads its answer at the first end token.
    public func encode(_ text: String) -> [Int32] {
        var tokens = [startToken]
        for word in Self.words(TextCleaning.clean(text)).map(TextCleaning.text) {
            if word == "<end_of_text>" || tokens.count >= Self.contextLength { break }
            tokens += word == "<start_of_text>" ? [startToken] : mergedTokens(Array(word.utf8))
        }
        return tokens.prefix(Self.contextLength - 1) + [endToken]
    }

    /// Whether `encode` leaves out a part of the text.
    public func isCut(_ text: String) -> Bool {
        var count = 1
        for word in Self.words(TextCleaning.clean(text)).map(TextCleaning.text) {
            if word == "<end_of_text>" || count >= Self.contextLength { return true }
            count += word == "<start_of_text>" ? 1 : mergedTokens(Array(word.utf8)).count
        }
        return count > Self.contextLength - 1
    }

    // MARK: - Words

    /// Splits cleaned text where CLIP does: special tokens, English contractions, runs of letters, single digits, runs of anything else.
    static func words(_ text: [Unicode.Scalar]) -> [ArraySlice<Unicode.Scalar>] {
        var words = [ArraySlice<Unicode.Scalar>]()
        var rest = text[...]
        while let first = rest.first {
            let count: Int
            if let fixed = fixedWords.first(where: { starts(rest, with: $0) }) {
                count = fixed.count
            } else {
                switch kind(first) {
                case .space:
                    rest = rest.dropFirst()
                    continue
                case .number: count = 1
                case let kind: count = rest.prefix { Self.kind($0) == kind }.count
                }
            }
            words.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return words
    }

    /// Words that are never split further or joined with their neighbours, in order of precedence.
    private static let fixedWords: [[Unicode.Scalar]] =
        ["<start_of_text>", "<end_of_text>", "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map { Array($0.unicodeScalars) }

    /// Regardless of case; in lower-case text only the long s still differs from its folded form.
    private static func starts(_ text: ArraySlice<Unicode.Scalar>, with word: [Unicode.Scalar]) -> Bool {
        text.count >= word.count && zip(text, word).allSatisfy { $0 == $1 || $0 == "\u{17F}" && $1 == "s" }
    }

    private enum Kind { case letter, number, space, other }

    private static func kind(_ scalar: Unicode.Scalar) -> Kind {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
        case .decimalNumber, .letterNumber, .otherNumber: .number
        default: scalar.properties.isWhitespace ? .space : .other
        }
    }

    // MARK: - Byte-pair encoding

    /// The tokens of one word, not empty, given as UTF-8.
    private func mergedTokens(_ word: [UInt8]) -> [Int32] {
        var tokens = word.map { Self.byteTokens[Int($0)] }
        tokens[tokens.count - 1] += 256
        while tokens.count > 1 {
            var earliest: (merged: Int32, pair: Pair)?
            for index in 1..<tokens.count {
                let pair = Pair(first: tokens[index - 1], second: tokens[index])
                if let merged = merges[pair], merged < earliest?.merged ?? .max { earliest = (merged, pair) }
            }
            guard let (merged, pair) = earliest else { break }
            // Every occurrence, from the left.
            var next = [Int32]()
            for token in tokens {
                if token == pair.second, next.last == pair.first {
                    next[next.count - 1] = merged
                } else {
                    next.append(token)
                }
            }
            tokens = next
        }
        return tokens
    }

    // MARK: - Bytes

    /// Token of each byte: printable characters of Latin-1 come first, in order, then the other bytes.
    static let byteTokens: [Int32] = {
        var tokens = [Int32](repeating: 0, count: 256)
        for (token, byte) in (printableBytes + otherBytes).enumerated() { tokens[byte] = Int32(token) }
        return tokens
    }()

    /// The characters that stand for tokens 0..<256 in tokenizer files: printable bytes for themselves, the others U+0100 and up.
    static let byteSymbols: [String] =
        printableBytes.map { String(Unicode.Scalar(UInt8($0))) } + otherBytes.indices.map { String(Unicode.Scalar(UInt16(256 + $0))!) }

    private static let printableBytes = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
    private static let otherBytes = (0..<256).filter { !printableBytes.contains($0) }
}
