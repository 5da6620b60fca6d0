import Kernels
import Testing

/// The bits that every machine must give: recorded on x86-64, of float kernels that are compiled for each machine anew.
/// A change of these values is a change of results, and so of every recorded picture.
@Suite struct SameBitsTests {
    /// Exact multiples of 2^-20 in -8...8, whatever the standard library's random floats are made of.
    private static let values: [Float] = {
        var random = Generator(3)
        return (0..<4096).map { _ in Float(Int64(random.next() >> 40) - 8_388_608) / 1_048_576 }
    }()

    /// FNV-1a over the values' bits.
    private func hash(_ values: [Float]) -> UInt64 {
        values.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1.bitPattern)) &* 0x0000_0100_0000_01B3 }
    }

    @Test func elementaryFunctions() {
        #expect(hash(Self.values.map(exponential)) == 13_311_938_702_310_022_390)
        #expect(hash(Self.values.map(normalDistribution)) == 7_597_948_277_582_648_518)
        #expect(hash(Self.values.map { logarithm($0.magnitude) }) == 16_331_913_356_211_373_308)
        #expect(hash(Self.values.map(sigmoid)) == 6_296_854_403_910_650_508)
        #expect(hash(Self.values.map { Float(sine(Double($0))) + Float(cosine(Double($0))) }) == 4_870_292_480_383_252_303)
    }

    @Test func rowKernels() {
        let x = Map(rows: 1, columns: 4001, Array(Self.values.prefix(4001)))
        gelu(x.matrix.base, count: 4001)
        #expect(hash(x.values) == 15_024_221_358_506_172_989)
        softmax(x.matrix.base, count: 4001)
        #expect(hash(x.values) == 7_583_785_405_166_388_763)
        layerNorm(Self.values, count: 4001, epsilon: 1e-6, weight: nil, bias: nil, into: x.matrix.base)
        #expect(hash(x.values) == 17_037_082_957_381_792_010)
    }

    @Test func mapKernels() {
        let x = Map(rows: 8 * 16, columns: 32, Self.values)
        let y = Map(rows: 11 * 9, columns: 32)
        groupNorm(x.matrix, groups: 4, weight: Self.values, bias: Self.values, activation: .relu)
        #expect(hash(x.values) == 3_955_827_345_912_104_745)
        resizeBilinear(x.matrix, from: Size(height: 8, width: 16), to: Size(height: 11, width: 9), into: y.matrix)
        #expect(hash(y.values) == 6_676_773_492_608_906_357)
        depthwise7x7(x.matrix, size: Size(height: 8, width: 16), weights: Self.values, bias: Self.values, row: 2, into: y.matrix.base)
        #expect(hash(y.values) == 147_503_952_901_160_593)
    }

    @Test func attentions() {
        let x = Map(rows: 64, columns: 64, Self.values)
        let out = Map(rows: 64, columns: 64)
        let scratch = Map(rows: 1, columns: attentionScratch(keys: 64, headWidth: 32))
        attention(
            queries: x.matrix, keys: x.matrix, values: x.matrix, heads: 2, headWidth: 32, blocked: nil, wordsPerRow: 0, range: 0..<64,
            scratch: scratch.matrix.base, into: out.matrix)
        #expect(hash(out.values) == 18_066_969_903_876_377_167)
        let offsets = Map(rows: 64, columns: 2 * 4 * 2, Array(Self.values.prefix(1024)))
        let weights = Map(rows: 64, columns: 2 * 4, Array(Self.values.suffix(512)))
        let samples = Map(rows: 1, columns: SampledAttention.scratchCount(samples: 8))
        withUnsafePointer(to: Size(height: 8, width: 8)) { size in
            withUnsafePointer(to: 0) { start in
                KernelSet.best.perform(
                    .sampledAttention(
                        SampledAttention(
                            .floats(x.matrix), levels: Levels(sizes: size, starts: start, count: 1), heads: 2, points: 4, offsets: offsets.matrix,
                            weights: weights.matrix, rows: 0..<64, scratch: samples.matrix.base, into: out.matrix)))
            }
        }
        withExtendedLifetime((x, offsets, weights, samples)) {
            #expect(hash(out.values) == 11_438_031_572_796_819_688)
        }
    }

    @Test func poolings() {
        let x = Map(rows: 1, columns: 4096, Self.values)
        let pooled = Map(rows: 1, columns: 1024)
        KernelSet.best.perform(
            .averagePool(AveragePool(x.matrix.base, width: 64, channels: 32, output: .floats(pooled.matrix.base, stride: 32))))
        #expect(hash(pooled.values) == 11_869_031_319_990_857_933)
        let masks: [UInt64] = [.max, 0, 0x0123_4567_89AB_CDEF, 1 << 63]
        let out = Map(rows: 4, columns: 64)
        let scratch = Map(rows: 1, columns: MaskedAttention.scratchCount(keys: 63, width: 64))
        let spread = Map(rows: 1, columns: 63, Self.values.prefix(63).map { $0 * 20 })
        for (scores, expected) in [(x, 4_958_989_194_644_256_255 as UInt64), (spread, 2_774_495_835_927_905_557)] {
            masks.withUnsafeBufferPointer { masks in
                KernelSet.best.perform(
                    .maskedAttention(
                        MaskedAttention(
                            scores: scores.matrix.base, keys: 63, values: x.matrix.base + 64, valueStride: 64, width: 64, bits: masks.baseAddress!,
                            wordsPerRow: 1, queries: 0..<4, scratch: scratch.matrix.base, output: .floats(out.matrix.base, stride: 64))))
            }
            #expect(hash(out.values) == expected)
        }
        withExtendedLifetime((x, spread, scratch)) {}
    }
}
