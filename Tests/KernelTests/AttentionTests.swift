import Foundation
import Kernels
import Testing

@Suite struct AttentionTests {
    struct Case: Sendable {
        let queries, keys, heads, headWidth: Int
        let isMasked: Bool
        var channels: Int { heads * headWidth }
        var words: Int { (keys + 63) / 64 }
    }

    static let cases = [1, 15, 16, 17, 64, 65, 200, 257, 600].flatMap { keys in
        [(8, 32), (2, 8), (1, 50), (3, 64)].flatMap { heads, width in
            [false, true].map { Case(queries: 11, keys: keys, heads: heads, headWidth: width, isMasked: $0) }
        }
    }

    @Test(arguments: cases) func agreesWithDouble(_ shape: Case) {
        let (rows, mask) = inputs(shape)
        let expected = plain(rows.q.real, rows.k.real, rows.v.real, shape.isMasked ? mask : nil, shape)
        let maps = [rows.q, rows.k, rows.v].map { Map(rows: $0.real.count / shape.channels, columns: shape.channels, $0.real) }
        let fromFloats = withExtendedLifetime(maps) {
            attend(maps[0].matrix, maps[1].matrix, maps[2].matrix, mask, shape)
        }
        #expect(relativeRMS(fromFloats, expected) < 1e-6)
        // Weights of 15 bits.
        #expect(relativeRMS(attend(rows.q, rows.k, rows.v, mask, shape, .best), expected) < 1.2e-5)
    }

    /// Every kernel set against the scalar one, bit for bit, through all of its kernels.
    @Test(arguments: cases) func sameBits(_ shape: Case) {
        let (rows, mask) = inputs(shape)
        let expected = attend(rows.q, rows.k, rows.v, mask, shape, testedKernelSets[0])
        for kernels in testedKernelSets.dropFirst() {
            #expect(attend(rows.q, rows.k, rows.v, mask, shape, kernels).map(\.bitPattern) == expected.map(\.bitPattern), "\(kernels.name)")
        }
    }

    /// Keys and values of -128 count as -127 in GEMMs.
    private func inputs(_ shape: Case) -> (rows: (q: Quantized, k: Quantized, v: Quantized), mask: [UInt64]) {
        var random = Generator(shape.keys * 131 + shape.channels)
        let q = random.bytes(shape.queries * shape.channels)
        let k = random.bytes(shape.keys * shape.channels, in: -127...127)
        let v = random.bytes(shape.keys * shape.channels, in: -127...127)
        var mask = random.words(shape.queries * shape.words)
        for word in 0..<shape.words {
            // A row that is blocked everywhere sees all keys. Others see few; some words are blocked for a whole group.
            mask[2 * shape.words + word] = .max
            for query in 3..<shape.queries where word != query % 3 { mask[query * shape.words + word] = .max }
            if word == 0, shape.words > 5 { for query in 8..<shape.queries { mask[query * shape.words] = .max } }
        }
        return ((Quantized(q, 0.011, 3), Quantized(k, 0.013, -128), Quantized(v, 0.02, 127)), mask)
    }

    struct Quantized {
        let bytes: [Int8]
        let scale: Float
        let zeroPoint: Int32
        var real: [Float] { bytes.map { scale * Float(Int32($0) - zeroPoint) } }

        init(_ bytes: [Int8], _ scale: Float, _ zeroPoint: Int32) {
            (self.bytes, self.scale, self.zeroPoint) = (bytes, scale, zeroPoint)
        }

        /// Stored with the bytes that a kernel may read beyond the end.
        var stored: Stored<Int8> { Stored(bytes + [Int8](repeating: 99, count: 16)) }

        func rows(_ stored: Stored<Int8>, _ channels: Int) -> Int8Rows {
            Int8Rows(stored.base, rows: bytes.count / channels, stride: channels, scale: scale, zeroPoint: zeroPoint)
        }
    }

    private func attend(_ q: Quantized, _ k: Quantized, _ v: Quantized, _ mask: [UInt64], _ shape: Case, _ kernels: KernelSet) -> [Float] {
        let out = Map(rows: shape.queries, columns: shape.channels)
        let stored = [q.stored, k.stored, v.stored]
        let bytes = IntegerAttention.scratch(keys: shape.keys, headWidth: shape.headWidth, layout: kernels.layout)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: bytes + 64, alignment: 64)
        defer { scratch.deallocate() }
        // Earlier contents must be ignored.
        scratch.initializeMemory(as: UInt8.self, repeating: 0xA5, count: bytes + 64)
        mask.withUnsafeBufferPointer { mask in
            for head in 0..<shape.heads {
                let kernel = IntegerAttention(
                    queries: q.rows(stored[0], shape.channels), keys: k.rows(stored[1], shape.channels), values: v.rows(stored[2], shape.channels),
                    head: head, headWidth: shape.headWidth, blocked: shape.isMasked ? mask.baseAddress : nil, wordsPerRow: shape.words)
                for range in [0..<3, 3..<shape.queries] {
                    kernel.perform(range, with: kernels, scratch: scratch, output: .floats(out.matrix.base, stride: shape.channels))
                }
            }
        }
        #expect(out.isIntact)
        #expect((bytes..<bytes + 64).allSatisfy { scratch.load(fromByteOffset: $0, as: UInt8.self) == 0xA5 })
        return withExtendedLifetime(stored) { out.values }
    }

    private func attend(_ q: Matrix, _ k: Matrix, _ v: Matrix, _ mask: [UInt64], _ shape: Case) -> [Float] {
        let out = Map(rows: shape.queries, columns: shape.channels)
        let scratch = Map(rows: 1, columns: attentionScratch(keys: shape.keys, headWidth: shape.headWidth))
        mask.withUnsafeBufferPointer { mask in
            for range in [0..<3, 3..<shape.queries] {
                attention(
                    queries: q, keys: k, values: v, heads: shape.heads, headWidth: shape.headWidth,
                    blocked: shape.isMasked ? mask.baseAddress : nil, wordsPerRow: shape.words, range: range,
                    scratch: scratch.matrix.base, into: out.matrix)
            }
        }
        #expect(out.isIntact)
        #expect(scratch.isIntact)
        return out.values
    }

    private func plain(_ q: [Float], _ k: [Float], _ v: [Float], _ mask: [UInt64]?, _ shape: Case) -> [Double] {
        var out = [Double](repeating: 0, count: shape.queries * shape.channels)
        for query in 0..<shape.queries {
            var open = (0..<shape.keys).filter { key in mask.map { $0[query * shape.words + key / 64] >> UInt64(key % 64) & 1 == 0 } ?? true }
            if open.isEmpty { open = Array(0..<shape.keys) }
            for head in 0..<shape.heads {
                let first = head * shape.headWidth
                let scores = open.map { key in
                    (0..<shape.headWidth).reduce(0.0) {
                        $0 + Double(q[query * shape.channels + first + $1]) * Double(k[key * shape.channels + first + $1])
                    } / Double(shape.headWidth).squareRoot()
                }
                let top = scores.max()!
                let weights = scores.map { exp($0 - top) }
                let total = weights.reduce(0, +)
                for channel in 0..<shape.headWidth {
                    out[query * shape.channels + first + channel] = zip(open, weights).reduce(0.0) {
                        $0 + $1.1 / total * Double(v[$1.0 * shape.channels + first + channel])
                    }
                }
            }
        }
        return out
    }
}
