import Kernels
import Runtime

/// A histogram of each channel, with bins of an eighth of an octave: an outlier of a thousand times the other values leaves them resolved.
///
/// A bin is named by the upper bits of a float: sign, exponent and three bits of the fraction. The largest magnitude so far decides the
/// highest bin; values of less than a 4096th of it share the lowest.
public final class HistogramObserver: RangeObserver {
    /// Bins of each sign.
    static let bins = 96
    private static let droppedBits: UInt32 = 20
    private static let infinity = Int(Float.infinity.bitPattern >> droppedBits)

    public let channels: Int
    public private(set) var isFinite = true
    private let pool: ThreadPool
    /// Least and largest value of each channel.
    public private(set) var least: [Float]
    public private(set) var largest: [Float]
    private var sums: [Double]
    private var count = 0
    /// Upper bits of the magnitudes in each channel's highest bin.
    private var highest: [Int]
    /// Channels x negative, positive x bins.
    private var counts: [UInt32]

    public init(channels: Int, pool: ThreadPool) {
        self.channels = channels
        self.pool = pool
        least = [Float](repeating: .infinity, count: channels)
        largest = [Float](repeating: -.infinity, count: channels)
        sums = [Double](repeating: 0, count: channels)
        highest = [Int](repeating: 0, count: channels)
        counts = [UInt32](repeating: 0, count: channels * 2 * Self.bins)
    }

    public var isEmpty: Bool { count == 0 }

    /// Mean of each channel.
    public var means: [Float] { sums.map { Float($0 / Double(max(count, 1))) } }

    public func observe(_ values: Matrix) {
        count += values.rows
        let blocks = (channels + 31) / 32
        var finite = [Bool](repeating: true, count: blocks)
        finite.withUnsafeMutableBufferPointer { finite in
            withChannels { state in
                pool.ranges(blocks) { range in
                    for block in range { finite[block] = state.add(values, channels: block * 32..<min(block * 32 + 32, values.columns)) }
                }
            }
        }
        if finite.contains(false) { isFinite = false }
    }

    private func withChannels(_ body: (Channels) -> Void) {
        least.withUnsafeMutableBufferPointer { least in
            largest.withUnsafeMutableBufferPointer { largest in
                sums.withUnsafeMutableBufferPointer { sums in
                    highest.withUnsafeMutableBufferPointer { highest in
                        counts.withUnsafeMutableBufferPointer { counts in
                            body(Channels(least: least, largest: largest, sums: sums, highest: highest, counts: counts))
                        }
                    }
                }
            }
        }
    }

    /// The state of all channels, of which each thread changes its own.
    private struct Channels {
        let least, largest: UnsafeMutableBufferPointer<Float>
        let sums: UnsafeMutableBufferPointer<Double>
        let highest: UnsafeMutableBufferPointer<Int>
        let counts: UnsafeMutableBufferPointer<UInt32>

        /// - Returns: whether all values were finite.
        func add(_ values: Matrix, channels: Range<Int>) -> Bool {
            var isFinite = true
            for row in 0..<values.rows {
                let x = values.row(row)
                for channel in channels {
                    let value = x[channel]
                    let key = Int((value.bitPattern & 0x7fff_ffff) >> droppedBits)
                    guard key < infinity else {
                        isFinite = false
                        continue
                    }
                    least[channel] = value < least[channel] ? value : least[channel]
                    largest[channel] = value > largest[channel] ? value : largest[channel]
                    sums[channel] += Double(value)
                    if key > highest[channel] { raise(channel, to: key) }
                    let bin = max(key - highest[channel] + bins - 1, 0)
                    counts[(2 * channel + (value < 0 ? 0 : 1)) * bins + bin] &+= 1
                }
            }
            return isFinite
        }

        func add(_ other: HistogramObserver, channel: Int) {
            least[channel] = min(least[channel], other.least[channel])
            largest[channel] = max(largest[channel], other.largest[channel])
            sums[channel] += other.sums[channel]
            if other.highest[channel] > highest[channel] { raise(channel, to: other.highest[channel]) }
            let shift = highest[channel] - other.highest[channel]
            for side in 2 * channel..<2 * channel + 2 {
                for bin in 0..<bins { counts[side * bins + max(bin - shift, 0)] &+= other.counts[side * bins + bin] }
            }
        }

        /// Moves the counts of `channel` down so that `key` becomes its highest bin.
        private func raise(_ channel: Int, to key: Int) {
            let shift = key - highest[channel]
            highest[channel] = key
            for side in 2 * channel..<2 * channel + 2 {
                let own = counts.baseAddress! + side * bins
                var lowest: UInt32 = 0
                for bin in 0..<min(shift + 1, bins) { lowest &+= own[bin] }
                for bin in 1..<bins { own[bin] = bin + shift < bins ? own[bin + shift] : 0 }
                own[0] = lowest
            }
        }
    }

    /// Adds what `other`, of as many channels, has observed.
    public func add(_ other: HistogramObserver) {
        isFinite = isFinite && other.isFinite
        count += other.count
        withChannels { state in
            for channel in 0..<channels { state.add(other, channel: channel) }
        }
    }

    public func distributions() -> [Distribution] {
        (0..<channels).map { channel in
            let first = highest[channel] - Self.bins + 1
            let edges = (0...Self.bins).map { bin in
                first + bin <= 0 || bin == 0 ? 0 : Double(Float(bitPattern: UInt32(min(first + bin, Self.infinity)) << Self.droppedBits))
            }
            let own = 2 * channel * Self.bins
            return Distribution(
                edges: edges, negative: Array(counts[own..<own + Self.bins]), positive: Array(counts[own + Self.bins..<own + 2 * Self.bins]),
                least: least[channel], largest: largest[channel])
        }
    }
}
