import Kernels
import Network

extension ReferenceDump {
    /// How the attention mask before one layer of the mask decoder differs from the recorded one.
    public struct AttentionMask {
        public let name: String
        /// All bits: queries x tokens.
        public let count: Int
        /// Bits that differ. A query that is blocked everywhere, and for that reason nowhere, counts as blocked everywhere.
        public internal(set) var differing = 0
        /// Whether rounding explains them all: their logits are within `threshold` of zero.
        public internal(set) var isRounding = true
    }

    /// Mask logits this near to zero may get either sign: two right implementations differ by as much.
    static let threshold: Float = 1e-4

    /// Compares the keys that the mask decoder's layer `index` must not attend to with the recorded ones. Where only rounding made
    /// them differ, the recorded ones replace them, so that what follows is compared on equal masks.
    ///
    /// - Parameter logits: the mask logits that they follow from, queries x tokens.
    func replaceAttentionMask(_ index: Int, _ blocked: BlockedKeys, logits: Matrix) {
        let name = "dec.h\(index).attn_mask"
        // `compare` reports a record of another size.
        guard let record = records[name], record.step == 1, record.values.count == logits.count else { return }
        var mask = AttentionMask(name: name, count: logits.count)
        var rows: [(query: Int, bits: [Bool])] = []
        for query in 0..<logits.rows {
            let words = blocked.row(query)
            let own: [Bool] = (0..<logits.columns).map { token in words[token >> 6] >> UInt64(token & 63) & 1 == 1 }
            let recorded: [Bool] = (0..<logits.columns).map { token in record.values[query * logits.columns + token] > 0 }
            if own == recorded { continue }
            rows.append((query, recorded))
            let ownSigns = Self.signs(of: own, logits.row(query))
            let recordedSigns = Self.signs(of: recorded, logits.row(query))
            if ownSigns == nil || recordedSigns == nil { mask.isRounding = false }
            for (one, other) in zip(ownSigns ?? own, recordedSigns ?? recorded) where one != other { mask.differing += 1 }
        }
        attentionMasks.append(mask)
        guard mask.isRounding else { return }
        for (query, bits) in rows {
            let words = blocked.row(query)
            words.update(repeating: 0, count: blocked.wordsPerRow)
            for (token, bit) in bits.enumerated() where bit { words[token >> 6] |= 1 << UInt64(token & 63) }
        }
    }

    /// The signs of one query's logits, true where negative, that lead to the blocked bits `bits`; nil where no rounding does.
    private static func signs(of bits: [Bool], _ logits: UnsafeMutablePointer<Float>) -> [Bool]? {
        func agree(_ signs: [Bool]) -> Bool {
            signs.indices.allSatisfy { abs(logits[$0]) <= threshold || signs[$0] == (logits[$0] < 0) }
        }
        if agree(bits) { return bits }
        // A query that is blocked everywhere is blocked nowhere.
        let all = [Bool](repeating: true, count: bits.count)
        return !bits.contains(true) && agree(all) ? all : nil
    }
}
