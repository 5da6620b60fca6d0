import Kernels
import Runtime
import TestSupport
import Testing

@testable import Calibrate

/// Histograms of channels, and the int8 steps that are fitted to them.
@Suite struct HistogramTests {
    private let pool = ThreadPool(threads: 2)

    private func observer(_ batches: [[Float]], channels: Int = 1) -> HistogramObserver {
        let observer = HistogramObserver(channels: channels, pool: pool)
        for batch in batches {
            var values = batch
            values.withUnsafeMutableBufferPointer { observer.observe(Matrix($0.baseAddress!, rows: batch.count / channels, columns: channels)) }
        }
        return observer
    }

    /// Of a bell shape, with `outliers` far outside.
    private func bell(_ count: Int, outliers: [Float] = []) -> [Float] {
        var random = SplitMix(seed: 7)
        return (0..<count).map { _ in (0..<8).reduce(Float(0)) { sum, _ in sum + Float(random.next() % 2001) / 1000 - 1 } } + outliers
    }

    /// The mean square of the error that int8 makes, value by value.
    private func error(_ values: [Float], step: Float, zeroPoint: Int) -> Double {
        let zero = Float(zeroPoint)
        return values.reduce(0.0) { sum, value in
            let level = min(max((value / step + zero).rounded(.toNearestOrEven), -128), 127)
            return sum + Double((level - zero) * step - value) * Double((level - zero) * step - value)
        } / Double(values.count)
    }

    @Test func minMaxObservesEveryChannel() {
        let empty = observer([], channels: 2)
        #expect(empty.isEmpty && empty.isFinite)
        let one = observer([[1, -2, 3, 5]], channels: 2)
        #expect(one.least == [1, -2] && one.largest == [3, 5] && one.means == [2, 1.5])
        #expect(one.distributions()[1].fitted(.minMax, zeroPoint: 0).step == Float(5) / 127)
        #expect(one.distributions()[0].fitted(.minMax, zeroPoint: -128).step == Float(3) / 255)
        #expect(!observer([[1, -2, 3, 5], [.nan, 0]], channels: 2).isFinite)
        #expect(!observer([[1, .infinity]], channels: 2).isFinite)
    }

    /// The histogram's estimate of an error is that of the values, at steps that clip much, little and nothing.
    @Test(arguments: [0, -100, -128]) func errorsAreThoseOfTheValues(zeroPoint: Int) {
        let values = bell(20000, outliers: [30, -25])
        let distribution = observer([values]).distributions()[0]
        for step: Float in [0.01, 0.02, 0.04, 0.08, 0.3, 3] {
            let expected = error(values, step: step, zeroPoint: zeroPoint)
            #expect(abs(distribution.error(step: step, zeroPoint: zeroPoint) / expected - 1) < 0.1, "step \(step)")
        }
    }

    @Test func aRareOutlierIsClippedByMeanSquareOnly() {
        // Rarer than one in 12 x 127 x 127, below which clipping costs more than it saves.
        let values = bell(600_000, outliers: [60])
        let distribution = observer([values]).distributions()[0]
        let whole = distribution.fitted(.minMax, zeroPoint: 0).step
        let least = distribution.fitted(.meanSquare, zeroPoint: 0).step
        #expect(whole == Float(60) / 127 && least < whole / 2)
        #expect(error(values, step: least, zeroPoint: 0) < 0.8 * error(values, step: whole, zeroPoint: 0))
        #expect(abs(distribution.fitted(.percentile, zeroPoint: 0).step * 127 / 8 - 1) < 0.5)
    }

    /// Values of a thousand times the others move the bins of these, not what is known about them.
    @Test func laterOutliersLeaveTheRestResolved() {
        let values = bell(5000)
        let outliers: [Float] = [4000, -2000]
        let together = observer([values, outliers]).distributions()[0]
        for step: Float in [0.01, 0.05] {
            let expected = error(values + outliers, step: step, zeroPoint: 0)
            #expect(abs(together.error(step: step, zeroPoint: 0) / expected - 1) < 0.1)
        }
        // As if observed in the other order, or apart.
        let apart = observer([values])
        apart.add(observer([outliers]))
        let reversed = observer([outliers, values])
        for other in [apart, reversed] {
            #expect(other.least == [-2000] && other.largest == [4000])
            #expect(abs(other.distributions()[0].error(step: 0.02, zeroPoint: 0) / together.error(step: 0.02, zeroPoint: 0) - 1) < 1e-3)
        }
    }

    @Test func zeroPointsFollowTheValues() {
        let positive = observer([bell(5000).map { max($0, 0) }]).distributions()
        #expect(QuantizationParameters.common(positive, .minMax, symmetric: false).zeroPoint == -128)
        #expect(QuantizationParameters.common(positive, .minMax, symmetric: true).zeroPoint == 0)
        let shifted = observer([bell(5000).map { $0 - 4 }]).distributions()
        let parameters = QuantizationParameters.common(shifted, .minMax, symmetric: false)
        #expect(parameters.zeroPoint > 32)
        // All of the values fit, and the step is no longer than that takes.
        let observed = observer([bell(5000).map { $0 - 4 }])
        let range = observed.largest[0] - observed.least[0]
        #expect(parameters.scale >= range / 255 && parameters.scale < range / 245)
    }
}
