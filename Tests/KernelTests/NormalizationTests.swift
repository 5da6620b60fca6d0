import Foundation
import Kernels
import Testing

@Suite struct NormalizationTests {
    @Test(arguments: [1, 7, 15, 16, 17, 96, 192, 768, 1536]) func layerNorms(_ count: Int) {
        var random = Generator(count)
        for (centre, spread) in [(Float(0), Float(1)), (100, 1), (-3, 0.01)] {
            let values = random.floats(count, in: centre - spread...centre + spread)
            let weight = random.floats(count)
            let bias = random.floats(count)
            let mean = values.reduce(0) { $0 + Double($1) } / Double(count)
            let variance = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(count)
            let plain = values.map { (Double($0) - mean) / (variance + 1e-6).squareRoot() }
            let tolerance = 2e-6 * Double(max(1, abs(centre) / spread))
            for (useWeight, useBias) in [(false, false), (true, false), (false, true), (true, true)] {
                let y = Map(rows: 1, columns: count)
                weight.withUnsafeBufferPointer { w in
                    bias.withUnsafeBufferPointer { b in
                        layerNorm(
                            values, count: count, epsilon: 1e-6, weight: useWeight ? w.baseAddress : nil, bias: useBias ? b.baseAddress : nil,
                            into: y.matrix.base)
                    }
                }
                let expected = plain.enumerated().map {
                    $1 * (useWeight ? Double(weight[$0]) : 1) + (useBias ? Double(bias[$0]) : 0)
                }
                #expect(largestError(y.values, expected) < tolerance * 10, "\(count) values around \(centre)")
                #expect(y.isIntact)
            }
        }
    }

    @Test(arguments: [(1, 8, 2), (5, 32, 32), (64, 64, 8), (65, 48, 2), (300, 33, 3), (129, 256, 32), (90_000, 8, 1)])
    func groupNorms(_ rows: Int, _ channels: Int, _ groups: Int) {
        for relu in [false, true] {
            var random = Generator(rows + channels)
            let x = Map(rows: rows, columns: channels, random.floats(rows * channels, in: 9...11))
            let weight = random.floats(channels)
            let bias = random.floats(channels)
            let values = x.values
            groupNorm(x.matrix, groups: groups, weight: weight, bias: bias, activation: relu ? .relu : .none)
            let width = channels / groups
            let count = Double(rows * width)
            var expected = [Double](repeating: 0, count: values.count)
            for group in 0..<groups {
                let indices = (0..<rows).flatMap { row in (group * width..<(group + 1) * width).map { row * channels + $0 } }
                let mean = indices.reduce(0) { $0 + Double(values[$1]) } / count
                let variance = indices.reduce(0) { $0 + (Double(values[$1]) - mean) * (Double(values[$1]) - mean) } / count
                for index in indices {
                    let value =
                        (Double(values[index]) - mean) / (variance + 1e-5).squareRoot() * Double(weight[index % channels]) + Double(bias[index % channels])
                    expected[index] = relu ? max(value, 0) : value
                }
            }
            #expect(largestError(x.values, expected) < 1e-5, "\(rows)x\(channels) in \(groups)")
            #expect(x.isIntact)
        }
    }
}
