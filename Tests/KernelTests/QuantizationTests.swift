import Foundation
import Kernels
import Testing

@Suite struct QuantizationTests {
    @Test(arguments: [0, 1, 7, 8, 9, 16, 17, 100, 1536]) func quantizes(_ count: Int) {
        var random = Generator(count)
        let x = random.floats(count, in: -30...30)
        let multiplier = random.floats(count, in: 0.1...9)
        for zeroPoint in [Int32(-128), -3, 0, 127] {
            let expected = (0..<count).map { index in
                Int8(max(-128, min(127, (x[index] * multiplier[index] + Float(zeroPoint)).rounded(.toNearestOrEven))))
            }
            var q = [Int8](repeating: 9, count: count + 1)
            quantize(x, multiplier: multiplier, zeroPoint: zeroPoint, count: count, into: &q)
            #expect(q == expected + [9])
        }
    }

    @Test func halvesAndWildValues() {
        let x: [Float] = [0.5, 1.5, 2.5, -0.5, -1.5, 126.5, 127.5, -128.5, 1e30, -1e30, .infinity, -.infinity, .nan, 8_388_609]
        let expected: [Int8] = [0, 2, 2, 0, -2, 126, 127, -128, 127, -128, 127, -128, -128, 127]
        let ones = [Float](repeating: 1, count: x.count)
        var perChannel = [Int8](repeating: 0, count: x.count)
        var shared = perChannel
        quantize(x, multiplier: ones, zeroPoint: 0, count: x.count, into: &perChannel)
        quantize(x, multiplier: 1, zeroPoint: 0, count: x.count, into: &shared)
        #expect(perChannel == expected)
        #expect(shared == expected)
    }

    @Test(arguments: [0, 1, 7, 8, 9, 33]) func finishes(_ count: Int) {
        var random = Generator(count)
        var sums = (0..<count).map { _ in Int32.random(in: -50_000_000...50_000_000, using: &random) }
        var offset = (0..<count).map { _ in Int32.random(in: -1_000_000...1_000_000, using: &random) }
        if count > 2 { (sums[1], offset[1]) = (.max, 1) }
        let scale = random.floats(count, in: 1e-5...1e-3)
        let bias = random.floats(count)
        let expected = (0..<count).map { index -> Float in
            let product = Float(sums[index] &+ offset[index]) * scale[index]
            return product + bias[index]
        }
        let (held, shift, factor, shared) = (Stored(sums), Stored(offset), Stored(scale), Stored(bias))
        for table in testedKernelSets {
            let y = Map(rows: 1, columns: count)
            func finish(_ output: RowOutput) {
                table.perform(
                    .epilogue(
                        Epilogue(
                            values: .sums(held.base, offset: shift.base, scale: factor.base), valuesStride: count, rows: 0..<1, columns: 0..<count,
                            bias: shared.base, output: output)))
            }
            finish(.floats(y.matrix.base, stride: count))
            #expect(y.values == expected && y.isIntact, "\(table.name)")
            finish(.added(y.matrix.base, stride: count))
            #expect(y.values == expected.map { $0 + $0 } && y.isIntact, "\(table.name)")
            finish(.rectifiedSum(y.matrix.base, stride: count))
            #expect(y.values == expected.map { max($0 + $0 + $0, 0) } && y.isIntact, "\(table.name)")
        }
        withExtendedLifetime((held, shift, factor, shared)) {}
    }
}
