import Foundation
import Kernels

/// Signal power over error power, collected over any number of values.
public struct SignalToNoise {
    private var signal = 0.0
    private var noise = 0.0

    public init() {}

    public mutating func add(_ reference: Matrix, _ other: Matrix) {
        add(UnsafeBufferPointer(start: reference.base, count: reference.count), UnsafeBufferPointer(start: other.base, count: other.count))
    }

    mutating func add(_ reference: some Collection<Float>, _ other: some Collection<Float>) {
        for (expected, found) in zip(reference, other) {
            let expected = Double(expected)
            let error = Double(found) - expected
            signal += expected * expected
            noise += error * error
        }
    }

    /// 10 log10(signal / noise); infinite without noise.
    public var decibels: Double {
        noise > 0 ? 10 * log10(signal / noise) : .infinity
    }
}

/// Signal-to-noise ratio of one layer or stage.
public struct Fidelity {
    public let name: String
    public let decibels: Double
}
