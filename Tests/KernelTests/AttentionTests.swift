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

    static let cases = [1, 15, 16, 17, 64, 65, 200].flatMap { keys in
        [(8, 32), (2, 8), (1, 50), (3, 64)].flatMap { heads, width in
            [false, true].map { Case(queries: 7, keys: keys, heads: heads, headWidth: width, isMasked: $0) }
        }
    }

    @Test(arguments: cases) func agreesWithDouble(_ shape: Case) {
        var random = Generator(shape.keys * 131 + shape.channels)
        let q = random.bytes(shape.queries * shape.channels), k = random.bytes(shape.keys * shape.channels), v = random.bytes(shape.keys * shape.channels)
        var mask = random.words(shape.queries * shape.words)
        // One row blocked everywhere: it sees everything.
        for word in 0..<shape.words { mask[2 * shape.words + word] = .max }
        let rows = (q: Quantized(q, 0.011, 3), k: Quantized(k, 0.013, -128), v: Quantized(v, 0.02, 127))
        let expected = plain(rows.q.real, rows.k.real, rows.v.real, shape.isMasked ? mask : nil, shape)
        let fromBytes = rows.q.withRows(shape.channels) { q in
            rows.k.withRows(shape.channels) { k in rows.v.withRows(shape.channels) { v in attend(q, k, v, mask, shape) } }
        }
        #expect(relativeRMS(fromBytes, expected) < 5e-6)
        let maps = [rows.q, rows.k, rows.v].map { Map(rows: $0.real.count / shape.channels, columns: shape.channels, $0.real) }
        let fromFloats = withExtendedLifetime(maps) {
            attend(FloatRows(maps[0].matrix), FloatRows(maps[1].matrix), FloatRows(maps[2].matrix), mask, shape)
        }
        #expect(relativeRMS(fromFloats, expected) < 2e-5)
    }

    struct Quantized {
        let bytes: [Int8]
        let scale: Float
        let zeroPoint: Int32
        var real: [Float] { bytes.map { scale * Float(Int32($0) - zeroPoint) } }

        init(_ bytes: [Int8], _ scale: Float, _ zeroPoint: Int32) {
            (self.bytes, self.scale, self.zeroPoint) = (bytes, scale, zeroPoint)
        }

        func withRows(_ channels: Int, _ body: (Int8Rows) -> [Float]) -> [Float] {
            bytes.withUnsafeBufferPointer {
                body(Int8Rows($0.baseAddress!, rows: bytes.count / channels, stride: channels, scale: scale, zeroPoint: zeroPoint))
            }
        }
    }

    private func attend(_ q: some Rows, _ k: some Rows, _ v: some Rows, _ mask: [UInt64], _ shape: Case) -> [Float] {
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
                let top = scores.max()!, weights = scores.map { exp($0 - top) }, total = weights.reduce(0, +)
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
