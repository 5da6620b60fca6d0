/// A histogram of durations with logarithmic bins of 1/32 octave, in constant memory.
public struct LatencyHistogram {
    private static let classesPerOctave = 32
    /// From 0.001 ms to a week.
    private static let firstExponent = -10, octaves = 40

    private var counts = [UInt32](repeating: 0, count: octaves * classesPerOctave)
    public private(set) var count = 0
    public private(set) var total = 0.0, longest = 0.0

    public init() {}

    /// - Parameter milliseconds: 0 or more; values outside the range count in the first or last bin.
    public mutating func add(_ milliseconds: Double) {
        counts[LatencyHistogram.index(milliseconds)] &+= 1
        count += 1
        total += milliseconds
        longest = max(longest, milliseconds)
    }

    private static func index(_ value: Double) -> Int {
        guard value.isFinite, value > 0 else { return 0 }
        let octave = Int(value.exponent) - firstExponent
        guard octave >= 0 else { return 0 }
        guard octave < octaves else { return octaves * classesPerOctave - 1 }
        return octave * classesPerOctave + Int((value.significand - 1) * Double(classesPerOctave))
    }

    /// The duration that `fraction` (0...1) of all durations do not exceed, with a relative error of at most 1/64; 0 for an empty histogram.
    public func quantile(_ fraction: Double) -> Double {
        guard count > 0 else { return 0 }
        var left = Int((fraction * Double(count)).rounded(.up))
        for index in counts.indices {
            left -= Int(counts[index])
            guard left <= 0 else { continue }
            let octave = index / LatencyHistogram.classesPerOctave
            let part = index % LatencyHistogram.classesPerOctave
            let middle = 1 + (Double(part) + 0.5) / Double(LatencyHistogram.classesPerOctave)
            return min(Double(sign: .plus, exponent: octave + LatencyHistogram.firstExponent, significand: middle), longest)
        }
        return longest
    }
}
