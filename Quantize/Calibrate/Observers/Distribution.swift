/// The values of one channel as a histogram, and what int8 makes of them.
public struct Distribution {
    /// Fraction of the values that a percentile drops at either end.
    static let tail = 1e-4

    /// One sign's magnitudes.
    private struct Side {
        let edges: [Double]
        let largest: Double
        /// Count, sum and sum of squares of the values in each bin and those above it.
        private var counts, sums, squares: [Double]

        init(edges: [Double], counts bins: [UInt32], largest: Double) {
            self.edges = edges
            self.largest = largest
            counts = [Double](repeating: 0, count: bins.count + 1)
            sums = counts
            squares = counts
            for bin in (0..<bins.count).reversed() {
                let count = Double(bins[bin])
                let low = edges[bin]
                let high = max(min(edges[bin + 1], largest), low)
                // Even within a bin.
                counts[bin] = counts[bin + 1] + count
                sums[bin] = sums[bin + 1] + count * (low + high) / 2
                squares[bin] = squares[bin + 1] + count * (low * low + low * high + high * high) / 3
            }
        }

        var count: Double { counts[0] }

        /// Calls `body` with the middle of each bin that holds a value, and their count.
        func forEachBin(_ body: (Double, Double) -> Void) {
            for bin in 0..<edges.count - 1 where counts[bin] > counts[bin + 1] { body((edges[bin] + edges[bin + 1]) / 2, counts[bin] - counts[bin + 1]) }
        }

        /// The bin that holds `magnitude`.
        private func bin(_ magnitude: Double) -> Int {
            var low = 0
            var high = edges.count - 1
            while high - low > 1 {
                let middle = (low + high) / 2
                if edges[middle] <= magnitude { low = middle } else { high = middle }
            }
            return low
        }

        /// Count of the values beyond `limit`, and the sum of squares of what they exceed it by.
        func beyond(_ limit: Double) -> (count: Double, squares: Double) {
            guard limit < largest else { return (0, 0) }
            let own = bin(limit)
            let width = max(min(edges[own + 1], largest) - edges[own], 1e-30)
            let share = min(max((edges[own] + width - limit) / width, 0), 1)
            let inBin = (counts[own] - counts[own + 1]) * share
            let excess = width * share
            let above = own + 1
            return (
                counts[above] + inBin,
                max(squares[above] - 2 * limit * sums[above] + limit * limit * counts[above], 0) + inBin * excess * excess / 3
            )
        }

        /// Count and sum of squares of the values below `limit`, to a bin's accuracy.
        func below(_ limit: Double) -> (count: Double, squares: Double) {
            let own = limit >= largest ? edges.count - 1 : bin(limit)
            return (counts[0] - counts[own], squares[0] - squares[own])
        }

        /// The magnitude that all but `count` values stay below, to a bin's accuracy.
        func magnitude(dropping count: Double) -> Double {
            guard count > 0 else { return largest }
            var own = edges.count - 1
            while own > 0, counts[own - 1] <= count { own -= 1 }
            return min(edges[own], largest)
        }
    }

    private let negative, positive: Side
    private let count: Double

    /// - Parameters:
    ///   - edges: of the bins of magnitudes, one more than there are bins.
    ///   - negative, positive: counts.
    init(edges: [Double], negative: [UInt32], positive: [UInt32], least: Float, largest: Float) {
        self.negative = Side(edges: edges, counts: negative, largest: Double(max(-least, 0)))
        self.positive = Side(edges: edges, counts: positive, largest: Double(max(largest, 0)))
        count = self.negative.count + self.positive.count
    }

    /// The least step by which int8 represents all values but the fraction `tail` at either end; those below zero are clipped where the
    /// zero point leaves no room for them.
    func step(zeroPoint: Int, dropping tail: Double = 0) -> Float {
        let low = zeroPoint == -128 ? 0 : negative.magnitude(dropping: tail * count) / Double(zeroPoint + 128)
        let high = zeroPoint == 127 ? 0 : positive.magnitude(dropping: tail * count) / Double(127 - zeroPoint)
        return Float(max(low, high))
    }

    /// Mean square of the error that int8 with `step` makes: what is clipped, half a step's rounding, and values that become zero.
    func error(step: Float, zeroPoint: Int) -> Double {
        guard count > 0 else { return 0 }
        let step = Double(step)
        let low = negative.beyond(step * Double(zeroPoint + 128))
        let high = positive.beyond(step * Double(127 - zeroPoint))
        let small = negative.below(step / 2)
        let other = positive.below(step / 2)
        let vanishing = min(small.count + other.count, count - low.count - high.count)
        let rounded = count - low.count - high.count - vanishing
        return (low.squares + high.squares + small.squares + other.squares + rounded * step * step / 12) / count
    }

    /// Calls `body` with magnitudes and their counts.
    func forEachBin(_ body: (Double, Double) -> Void) {
        negative.forEachBin(body)
        positive.forEachBin(body)
    }

    /// Steps from `largest` down, an eighth of an octave apart.
    static func candidates(from largest: Float) -> [Float] { ratios.map { largest * $0 } }

    /// 2^(-k / 8).
    private static let ratios: [Float] = (0..<56).reduce(into: [1]) { ratios, _ in ratios.append(ratios[ratios.count - 1] * 0.917_004_04) }

    /// The step by `method` if the zero point is `zeroPoint`.
    func fitted(_ method: RangeMethod, zeroPoint: Int) -> ChannelStep {
        let whole = step(zeroPoint: zeroPoint)
        switch method {
        case .minMax: return ChannelStep(step: whole, error: error(step: whole, zeroPoint: zeroPoint))
        case .percentile:
            let step = step(zeroPoint: zeroPoint, dropping: Self.tail)
            return ChannelStep(step: step, error: error(step: step, zeroPoint: zeroPoint))
        case .meanSquare:
            var best = ChannelStep(step: whole, error: error(step: whole, zeroPoint: zeroPoint))
            var worse = 0
            for step in Self.candidates(from: whole).dropFirst() where worse < 12 {
                let error = error(step: step, zeroPoint: zeroPoint)
                worse = error < best.error ? 0 : worse + 1
                if error < best.error { best = ChannelStep(step: step, error: error) }
            }
            return best
        }
    }
}

extension [Distribution] {
    /// The one step for all channels by `method`, and the mean square of its error, summed over the channels.
    func fittedTogether(_ method: RangeMethod, zeroPoint: Int) -> ChannelStep {
        func error(_ step: Float) -> Double { reduce(0) { $0 + $1.error(step: step, zeroPoint: zeroPoint) } }
        let whole = map { $0.step(zeroPoint: zeroPoint) }.max() ?? 0
        switch method {
        case .minMax: return ChannelStep(step: whole, error: error(whole))
        case .percentile:
            let step = map { $0.step(zeroPoint: zeroPoint, dropping: Distribution.tail) }.max() ?? 0
            return ChannelStep(step: step, error: error(step))
        case .meanSquare:
            return Distribution.candidates(from: whole).map { ChannelStep(step: $0, error: error($0)) }.min { $0.error < $1.error }!
        }
    }
}
