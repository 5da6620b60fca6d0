import Foundation
import Imaging
import Kernels
import Network
import System

/// What each part of the network costs if it alone is int8: the noise on the mask logits and the class probabilities.
public final class Sensitivity {
    /// Layers and points that become int8 or stay in float32 together: the layers that read a point, or the operands of a product.
    public struct Part {
        /// Of its layers and points, in network order.
        public let names: [String]
        /// Signal-to-noise ratio of the network's results.
        public let decibels: Double
    }

    private let calibration: Calibration
    private let paths: [String]
    /// By picture: mask logits, then probabilities.
    private var expected: [[[Float]]] = []

    /// - Parameter paths: pictures to measure on.
    public init(_ calibration: Calibration, pictures paths: [String]) throws(Fault) {
        self.calibration = calibration
        self.paths = paths
        calibration.arithmetic.simulation = FloatArithmetic.Simulation()
        for path in paths { expected.append(try results(path)) }
    }

    /// All parts, the most expensive first. - Parameter progress: gets the number done and that of all.
    public func parts(progress: (Int, Int) -> Void) throws(Fault) -> [Part] {
        let groups = calibration.int8Groups
        var parts: [Part] = []
        for (index, names) in groups.enumerated() {
            parts.append(Part(names: names, decibels: try decibels(simulating: names)))
            progress(index + 1, groups.count)
        }
        return parts.sorted { $0.decibels < $1.decibels }
    }

    /// Signal-to-noise ratio of the network's results if `names` are int8: the lower one of mask logits and probabilities.
    public func decibels(simulating names: [String]) throws(Fault) -> Double {
        calibration.arithmetic.simulation = calibration.simulation(of: names)
        defer { calibration.arithmetic.simulation = FloatArithmetic.Simulation() }
        var ratios = [SignalToNoise(), SignalToNoise()]
        for (path, own) in zip(paths, expected) {
            let found = try results(path)
            for index in ratios.indices {
                ratios[index].add(own[index], found[index])
            }
        }
        return ratios.map(\.decibels).min()!
    }

    /// The least of `parts`, from the first on, without which the others in int8 give `wanted` decibels: their count and names, and what the
    /// others give. Depthwise convolutions are never among them.
    /// - Throws: when the others do not suffice even so.
    public func fewestFloats(_ parts: [Part], decibels wanted: Double) throws(Fault) -> (count: Int, names: [String], decibels: Double) {
        let integerOnly = Set(calibration.arithmetic.layers.filter { $0.role == .depthwise }.map(\.name))
        let movable = parts.filter { integerOnly.isDisjoint(with: $0.names) }
        let fixed = parts.filter { !integerOnly.isDisjoint(with: $0.names) }.flatMap(\.names)
        func rest(_ count: Int) throws(Fault) -> Double { try decibels(simulating: fixed + movable.dropFirst(count).flatMap(\.names)) }
        var low = 0
        var high = movable.count
        var best = try rest(high)
        guard best >= wanted else {
            throw Fault(String(format: "--budget: with all other layers in float32, the depthwise convolutions in int8 give %.1f dB", best))
        }
        while low < high {
            let middle = (low + high) / 2
            let found = try rest(middle)
            if found >= wanted { (high, best) = (middle, found) } else { low = middle + 1 }
        }
        return (high, movable.prefix(high).flatMap(\.names), best)
    }

    private func results(_ path: String) throws(Fault) -> [[Float]] {
        let preprocessor = Preprocessor(calibration.preprocessing)
        preprocessor.resize(try Picture.read(path: path))
        return preprocessor.withResized { pixels in
            calibration.network.run(pixels, size: preprocessor.resizedSize, padded: preprocessor.paddedSize, classifier: calibration.anyClassifier) {
                [$0.masks, $0.probabilities].map { Array(UnsafeBufferPointer(start: $0.base, count: $0.count)) }
            }
        }
    }
}
