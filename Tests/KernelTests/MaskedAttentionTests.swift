import Foundation
import Kernels
import Testing

/// Every kernel set against float64, and bit for bit against the first.
@Suite struct MaskedAttentionTests {
    enum Scores: CaseIterable, Sendable {
        /// All within a few units of each other.
        case near
        /// Hundreds apart.
        case far
        /// One key is hundreds above the others: masks without it need a maximum of their own.
        case oneAbove
        /// One key is so far above that the others' weights are about the least that the picture's maximum may serve.
        case leastTotal
    }

    struct Case: Sendable {
        let keys, width: Int
        let scores: Scores
        /// Between the rows of values, and of results.
        var stride: Int { width + 5 }
        var words: Int { (keys + 63) / 64 }
    }

    static let cases = [1, 2, 15, 16, 17, 63, 64, 65, 128, 130].flatMap { keys in
        [64, 128].flatMap { width in Scores.allCases.map { Case(keys: keys, width: width, scores: $0) } }
    }

    static let queries = 9
    static let emptyQuery = 3

    @Test(arguments: cases) func agreesWithDouble(_ shape: Case) {
        let (scores, values, masks) = inputs(shape)
        var first: ([UInt32], [Int8])?
        for kernels in testedKernelSets {
            let (floats, bytes) = attend(scores, values, masks, shape, kernels)
            for query in 0..<Self.queries {
                let found = Array(floats[query * shape.stride..<query * shape.stride + shape.width])
                let expected = plain(scores, values, masks, query, shape)
                #expect(relativeRMS(found, expected) < 1e-6, "\(kernels.name), query \(query)")
                // Not even a rounding error where all values are zero, or where a mask is empty.
                #expect(zip(found, expected).allSatisfy { $1 != 0 || $0 == 0 }, "\(kernels.name), query \(query)")
            }
            let bits = floats.map(\.bitPattern)
            if let first { #expect(first == (bits, bytes), "\(kernels.name)") } else { first = (bits, bytes) }
        }
    }

    /// The same results when rows are computed in two ranges.
    @Test func ranges() {
        let shape = Case(keys: 65, width: 64, scores: .oneAbove)
        let (scores, values, masks) = inputs(shape)
        for kernels in testedKernelSets {
            let whole = attend(scores, values, masks, shape, kernels)
            let parts = attend(scores, values, masks, shape, kernels, ranges: [0..<4, 4..<Self.queries])
            #expect(whole.floats.map(\.bitPattern) == parts.floats.map(\.bitPattern) && whole.bytes == parts.bytes, "\(kernels.name)")
        }
    }

    private func inputs(_ shape: Case) -> (scores: [Float], values: [Float], masks: [UInt64]) {
        var random = Generator(shape.keys * 131 + shape.width)
        let top = shape.keys / 2
        var scores: [Float]
        switch shape.scores {
        case .near: scores = random.floats(shape.keys, in: -4...4)
        case .far: scores = random.floats(shape.keys, in: -400...400)
        case .oneAbove:
            scores = random.floats(shape.keys, in: -300 ... -290)
            scores[top] = 300
        case .leastTotal:
            // e^-57.56 is 1e-25.
            scores = random.floats(shape.keys, in: -60 ... -57)
            scores[top] = 0
        }
        // Channels of zeros at either end, and one in the middle.
        var values = random.floats(shape.keys * shape.stride)
        for key in 0..<shape.keys {
            for channel in [0, 17, shape.width - 1] { values[key * shape.stride + channel] = 0 }
        }
        // Bits behind the last key are set and must be ignored.
        var masks = random.words(Self.queries * shape.words)
        let own = { (query: Int) in query * shape.words..<(query + 1) * shape.words }
        for query in 0..<Self.queries where shape.keys % 64 > 0 { masks[own(query).upperBound - 1] |= .max << UInt64(shape.keys % 64) }
        func set(_ query: Int, _ holds: (Int) -> Bool) {
            for key in 0..<shape.keys {
                let bit = (1 as UInt64) << UInt64(key % 64)
                let word = query * shape.words + key / 64
                masks[word] = holds(key) ? masks[word] | bit : masks[word] & ~bit
            }
        }
        set(0) { _ in true }
        set(1) { $0 == top }
        set(2) { $0 != top }
        set(Self.emptyQuery) { _ in false }
        set(4) { $0 == 0 }
        set(5) { $0 == shape.keys - 1 }
        return (scores, values, masks)
    }

    private func attend(
        _ scores: [Float], _ values: [Float], _ masks: [UInt64], _ shape: Case, _ kernels: KernelSet, ranges: [Range<Int>] = [0..<queries]
    ) -> (floats: [Float], bytes: [Int8]) {
        let (scores, values, masks) = (Stored(scores), Stored(values), Stored(masks))
        let start = [Float](repeating: 7, count: Self.queries * shape.stride)
        let floats = Map(rows: 1, columns: start.count, start)
        var bytes = [Int8](repeating: 9, count: start.count + 32)
        let multiplier = Stored([Float](repeating: 50, count: shape.width))
        let scratch = Map(rows: 1, columns: MaskedAttention.scratchCount(keys: shape.keys, width: shape.width))
        func attend(_ output: RowOutput) {
            for range in ranges {
                kernels.perform(
                    .maskedAttention(
                        MaskedAttention(
                            scores: scores.base, keys: shape.keys, values: values.base, valueStride: shape.stride, width: shape.width, bits: masks.base,
                            wordsPerRow: shape.words, queries: range, scratch: scratch.matrix.base, output: output)))
            }
        }
        attend(.floats(floats.matrix.base, stride: shape.stride))
        bytes.withUnsafeMutableBufferPointer {
            attend(.int8($0.baseAddress!, stride: shape.stride, multiplier: multiplier.base, zeroPoint: 3))
        }
        let found = floats.values
        #expect(floats.isIntact && scratch.isIntact, "\(kernels.name)")
        for query in 0..<Self.queries {
            let gap = query * shape.stride + shape.width..<(query + 1) * shape.stride
            #expect(found[gap].allSatisfy { $0 == 7 } && bytes[gap].allSatisfy { $0 == 9 }, "\(kernels.name) wrote beside its columns")
        }
        #expect(bytes.suffix(32).allSatisfy { $0 == 9 }, "\(kernels.name) wrote beyond its end")
        let empty = Self.emptyQuery * shape.stride..<Self.emptyQuery * shape.stride + shape.width
        #expect(bytes[empty].allSatisfy { $0 == 3 }, "\(kernels.name)")
        withExtendedLifetime((scores, values, masks, multiplier)) {}
        return (found, bytes)
    }

    private func plain(_ scores: [Float], _ values: [Float], _ masks: [UInt64], _ query: Int, _ shape: Case) -> [Double] {
        let keys = (0..<shape.keys).filter { masks[query * shape.words + $0 / 64] >> UInt64($0 % 64) & 1 == 1 }
        let top = keys.map { Double(scores[$0]) }.max() ?? 0
        let weights = keys.map { exp(Double(scores[$0]) - top) }
        let total = max(weights.reduce(0, +), 1e-300)
        return (0..<shape.width).map { channel in
            zip(keys, weights).reduce(0.0) { $0 + $1.1 / total * Double(values[$1.0 * shape.stride + channel]) }
        }
    }
}
