import Foundation
import Kernels
import Testing

/// The project's own functions against the C library in double precision.
@Suite struct ElementaryFunctionTests {
    /// Largest distance in units in the last place of the exact result, over a million values.
    private func worst(_ range: ClosedRange<Float>, _ function: (Float) -> Float, _ exact: (Double) -> Double) -> Double {
        let count = 1_000_000
        var worst = 0.0
        for i in 0...count {
            let x = range.lowerBound + (range.upperBound - range.lowerBound) * Float(i) / Float(count)
            let expected = exact(Double(x))
            worst = max(worst, abs(Double(function(x)) - expected) / Double(Float(expected).ulp))
        }
        return worst
    }

    @Test func exponentials() {
        #expect(worst(-87.3...88.7, exponential, exp) < 2)
        #expect(worst(-1...1, exponential, exp) < 2)
        #expect(exponential(-88) == 0)
        #expect(exponential(-Float.infinity) == 0)
        #expect(exponential(Float(89)) == .infinity)
        #expect(exponential(Float.infinity) == .infinity)
        #expect(exponential(Float(0)) == 1)
        #expect(exponential(Float.nan).isNaN)
    }

    @Test func logarithms() {
        #expect(worst(1e-3...4, logarithm, log) < 2)
        #expect(worst(0.9...1.1, logarithm, log) < 2)
        #expect(worst(1...1e30, logarithm, log) < 2)
        #expect(worst(1e-38...1e-36, logarithm, log) < 2)
        #expect(worst(Float(bitPattern: 7)...Float(bitPattern: 70_000), logarithm, log) < 2)
        #expect(logarithm(Float(1)) == 0)
        #expect(logarithm(Float(0)) == -.infinity)
        #expect(logarithm(Float.infinity) == .infinity)
        #expect(logarithm(Float(-1)).isNaN)
        #expect(logarithm(Float.nan).isNaN)
    }

    @Test func normalDistributions() {
        #expect(worst(-8.5...8.5, normalDistribution) { erf($0 / 2.0.squareRoot()) / 2 } < 7)
        #expect(worst(-0.014...0.014, normalDistribution) { erf($0 / 2.0.squareRoot()) / 2 } < 5)
        #expect(normalDistribution(Float(0)) == 0)
        #expect(normalDistribution(Float.infinity) == 0.5)
        #expect(normalDistribution(-Float.infinity) == -0.5)
        #expect(normalDistribution(Float.nan).isNaN)
    }

    @Test func sigmoids() {
        #expect(worst(-80...80, sigmoid) { 1 / (1 + exp(-$0)) } < 4)
        #expect(sigmoid(Float.infinity) == 1)
        #expect(sigmoid(-Float.infinity) == 0)
    }

    @Test func circularFunctions() {
        var random = Generator(1)
        for scale in [1e-8, 1.0, 10, 1000, 1e5] {
            for _ in 0..<100_000 {
                let x = Double.random(in: -scale...scale, using: &random)
                #expect(abs(sine(x) - sin(x)) < 1e-15)
                #expect(abs(cosine(x) - cos(x)) < 1e-15)
            }
        }
    }

    @Test func lanesAgreeWithSingleValues() {
        var random = Generator(2)
        for _ in 0..<1000 {
            let values = random.floats(16, in: -30...30)
            let lanes = values.withUnsafeBufferPointer { load($0.baseAddress!) }
            let (e, f, l, s) = (exponential(lanes), normalDistribution(FourLanes(lanes, lanes, lanes, lanes)).d, logarithm(lanes), sigmoid(lanes))
            for lane in 0..<16 {
                #expect(e[lane].bitPattern == exponential(values[lane]).bitPattern)
                #expect(f[lane].bitPattern == normalDistribution(values[lane]).bitPattern)
                #expect(s[lane].bitPattern == sigmoid(values[lane]).bitPattern)
                #expect(l[lane].bitPattern == logarithm(values[lane]).bitPattern || l[lane].isNaN && values[lane] < 0)
            }
        }
    }

    @Test(arguments: [0, 1, 15, 16, 17, 31, 32, 100]) func activations(_ count: Int) {
        var random = Generator(count)
        let values = random.floats(count, in: -6...6)
        let x = Map(rows: 1, columns: count, values)
        gelu(x.matrix.base, count: count)
        let expected = values.map { 0.5 * Double($0) * (1 + erf(Double($0) / 2.0.squareRoot())) }
        #expect(relativeRMS(x.values, expected) < 1e-6)
        #expect(x.isIntact)

        let y = Map(rows: 1, columns: count, values)
        relu(y.matrix.base, count: count)
        #expect(y.values == values.map { max($0, 0) })
        #expect(y.isIntact)
    }

    @Test(arguments: [1, 2, 12, 15, 16, 17, 64, 1000]) func softmaxes(_ count: Int) {
        var random = Generator(count)
        for range in [-1...Float(1), -50...50, 1000...1001] {
            var values = random.floats(count, in: range)
            if count > 5 { values[3] = -.infinity }
            let x = Map(rows: 1, columns: count, values)
            softmax(x.matrix.base, count: count)
            let top = Double(values.max()!)
            let exponentials = values.map { exp(Double($0) - top) }
            let total = exponentials.reduce(0, +)
            #expect(largestError(x.values, exponentials.map { $0 / total }) < 3e-7)
            #expect(x.isIntact)
        }
    }
}
