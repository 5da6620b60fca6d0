import Kernels
import Testing

@Suite struct MaskPoolingTests {
    @Test(arguments: [1, 63, 64, 65, 200]) func sumsAndCounts(_ count: Int) {
        var random = Generator(count)
        let channels = 37
        let stride = 41
        let features = random.bytes(count * stride)
        let floats = features.map { Float($0) * 0.5 }
        for bits in [random.words(4), [UInt64](repeating: 0, count: 4), [UInt64](repeating: .max, count: 4)] {
            let rows = (0..<count).filter { bits[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
            let expected = (0..<channels).map { channel in rows.reduce(0) { $0 + Int(features[$1 * stride + channel]) } }
            var sums = [Int32](repeating: 7, count: channels + 1)
            #expect(maskedSum(bits: bits, count: count, features: features, stride: stride, channels: channels, into: &sums) == rows.count)
            #expect(sums.map(Int.init) == expected + [7])
            var floatSums = [Float](repeating: 7, count: channels + 1)
            #expect(maskedSum(bits: bits, count: count, features: floats, stride: stride, channels: channels, into: &floatSums) == rows.count)
            #expect(floatSums == expected.map { Float($0) * 0.5 } + [7])
        }
    }
}
