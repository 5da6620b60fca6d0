import Kernels
import Runtime
import TestSupport
import Testing

@testable import Calibrate

/// Int8 weights by every method, judged by the results of the layer.
@Suite struct RoundingTests {
    private let pool = ThreadPool(threads: 2)
    private let depth = 48
    private let columns = 8

    /// Inputs whose channels follow a few causes, and weights with one far larger than the others.
    private func layer() -> (inputs: [Float], weights: [Float]) {
        var random = SplitMix(seed: 3)
        func value() -> Float { Float(random.next() % 20001) / 10000 - 1 }
        let causes = (0..<depth * 4).map { _ in value() }
        let inputs = (0..<512).flatMap { _ in
            let strengths = (0..<4).map { _ in value() * 40 }
            return (0..<depth).map { channel in
                ((0..<4).reduce(Float(0)) { $0 + strengths[$1] * causes[channel * 4 + $1] } + value()).rounded()
            }
        }
        var weights = (0..<depth * columns).map { _ in value() }
        for column in 0..<columns { weights[column * depth] = 4 }
        return (inputs, weights)
    }

    private func noise(_ method: any WeightRounding) -> Double {
        let (inputs, weights) = layer()
        var values = inputs
        let steps = values.withUnsafeMutableBufferPointer {
            InputSteps(
                Matrix($0.baseAddress!, rows: 512, columns: depth), channels: depth, QuantizationParameters(scale: 1, zeroPoint: 0, factors: []), pool: pool)
        }
        var own = weights
        let rounded = own.withUnsafeMutableBufferPointer { method.round(Matrix($0.baseAddress!, rows: columns, columns: depth), input: steps, pool: pool) }
        var noise = 0.0
        for row in 0..<512 {
            for column in 0..<columns {
                let error = (0..<depth).reduce(Float(0)) { sum, channel in
                    let index = column * depth + channel
                    return sum + inputs[row * depth + channel] * (weights[index] - Float(rounded.weights[index]) * rounded.scales[column])
                }
                noise += Double(error * error)
            }
        }
        return noise
    }

    @Test func eachMethodIsBetterThanTheOneBefore() {
        let nearest = noise(NearestRounding())
        let meanSquare = noise(MeanSquareRounding())
        let secondOrder = noise(SecondOrderRounding())
        #expect(meanSquare <= nearest * 1.01)
        #expect(secondOrder < nearest / 4)
    }

    /// Without inputs, or with inputs that are all the same, no method fails.
    @Test(arguments: [0, 1, 5]) func fewInputsSuffice(rows: Int) {
        var inputs = [Float](repeating: 3, count: max(rows * depth, 1))
        let steps = inputs.withUnsafeMutableBufferPointer {
            InputSteps(
                Matrix($0.baseAddress!, rows: rows, columns: depth), channels: depth, QuantizationParameters(scale: 1, zeroPoint: 0, factors: []), pool: pool)
        }
        var weights = layer().weights
        let expected = weights.withUnsafeMutableBufferPointer {
            NearestRounding().round(Matrix($0.baseAddress!, rows: columns, columns: depth), input: nil, pool: pool)
        }
        let found = weights.withUnsafeMutableBufferPointer {
            SecondOrderRounding().round(Matrix($0.baseAddress!, rows: columns, columns: depth), input: steps, pool: pool)
        }
        for (one, other) in zip(expected.weights, found.weights) { #expect(abs(Int(one) - Int(other)) <= 60) }
        #expect(found.scales.allSatisfy { $0 > 0 && $0.isFinite })
    }

    @Test func zeroWeightsStayZero() {
        var weights = [Float](repeating: 0, count: depth * columns)
        for method in RoundingMethod.allCases {
            let rounded = weights.withUnsafeMutableBufferPointer {
                method.rounding.round(Matrix($0.baseAddress!, rows: columns, columns: depth), input: nil, pool: pool)
            }
            #expect(rounded.weights.allSatisfy { $0 == 0 } && rounded.scales.allSatisfy { $0 > 0 })
        }
    }
}
