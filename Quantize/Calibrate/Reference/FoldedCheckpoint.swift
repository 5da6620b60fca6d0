import Checkpoint
import Kernels
import ModelFormat
import System

/// Weights of a linear layer, `columns` x `depth` row-major, and a bias of `columns` values.
public struct FloatWeights {
    public var weights: [Float]
    public var bias: [Float]
    public let columns: Int
    public let depth: Int
}

/// A checkpoint's parameters under the network's names, read by the table of `UpstreamNames` with what it folds folded in.
///
/// Convolutions become linear layers whose depth is ordered (kernel row, kernel column, channel).
public final class FoldedCheckpoint {
    public let checkpoint: Checkpoint
    public let architecture: Architecture
    public let names: UpstreamNames
    /// Applied behind the folds.
    public let rewrites: Rewrites

    public init(_ checkpoint: Checkpoint, _ architecture: Architecture, rewrites: Rewrites = Rewrites()) {
        self.checkpoint = checkpoint
        self.rewrites = rewrites
        self.architecture = architecture
        names = UpstreamNames(architecture)
    }

    /// A layer's weights; those of a depthwise convolution are ordered [tap][channel] and have the taps for a depth.
    public func layer(_ name: String) throws(Fault) -> FloatWeights {
        let source = try names.layer(name)
        var result = try load(source)
        for fold in source.folds {
            switch fold {
            case .inputNorm(let norm): result.fold(norm: try vector(norm + ".weight"), shift: try vector(norm + ".bias"))
            case .outputScale(let scale): result.scale(by: try vector(scale))
            case .outputBatchNorm(let norm):
                let variance = try vector(norm + ".running_var")
                guard variance.allSatisfy({ $0 >= 0 }) else { throw Fault("\(norm).running_var: holds a negative variance") }
                result.fold(
                    batchNorm: try vector(norm + ".weight"), shift: try vector(norm + ".bias"), mean: try vector(norm + ".running_mean"), variance: variance)
            }
        }
        rewrites.apply(to: &result, of: name)
        return result
    }

    /// A table of floats, row-major.
    public func parameter(_ name: String) throws(Fault) -> [Float] {
        let source = try names.parameter(name)
        let values = try vector(source.key)
        guard source.isUnit else { return values }
        let norm = max(values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot(), 1e-12)
        return values.map { Float(Double($0) / norm) }
    }

    private func vector(_ key: String) throws(Fault) -> [Float] {
        let tensor = try checkpoint.tensor(key)
        let values = tensor.floats()
        tensor.release()
        guard values.allSatisfy({ $0.isFinite }) else { throw Fault("\(key): holds a value that is not a finite number") }
        return values
    }

    /// Weights and bias as stored, but for the order of the weights.
    private func load(_ source: UpstreamNames.Layer) throws(Fault) -> FloatWeights {
        let stored = try vector(source.weight)
        let rows = source.shape[0]
        let depth = source.shape.dropFirst().reduce(1, *)
        let bias = if let key = source.bias { try vector(key) } else { [Float](repeating: 0, count: rows) }
        if let third = source.third {
            let columns = rows / 3
            return FloatWeights(
                weights: Array(stored[third * columns * depth..<(third + 1) * columns * depth]),
                bias: Array(bias[third * columns..<(third + 1) * columns]), columns: columns, depth: depth)
        }
        if source.isTransposed {
            let columns = source.shape[1]
            var weights = stored
            for row in 0..<rows {
                for column in 0..<columns { weights[column * rows + row] = stored[row * columns + column] }
            }
            return FloatWeights(weights: weights, bias: [Float](repeating: 0, count: columns), columns: columns, depth: rows)
        }
        let taps = source.shape.dropFirst(2).reduce(1, *)
        var weights = stored
        switch source.role {
        case .depthwise:
            for channel in 0..<rows {
                for tap in 0..<taps { weights[tap * rows + channel] = stored[channel * taps + tap] }
            }
        case .linear, .stem:
            let channels = source.shape[1]
            guard taps > 1 else { break }
            for column in 0..<rows {
                for channel in 0..<channels {
                    for tap in 0..<taps { weights[column * depth + tap * channels + channel] = stored[column * depth + channel * taps + tap] }
                }
            }
        }
        return FloatWeights(weights: weights, bias: bias, columns: rows, depth: depth)
    }
}

extension FloatWeights {
    /// Folds y = W (x * norm + shift) + b; `norm` repeats along the depth, channels fastest.
    mutating func fold(norm: [Float], shift: [Float]) {
        for column in 0..<columns {
            var sum = 0.0
            for position in 0..<depth {
                let channel = position % norm.count
                sum += Double(weights[column * depth + position]) * Double(shift[channel])
                weights[column * depth + position] *= norm[channel]
            }
            bias[column] = Float(Double(bias[column]) + sum)
        }
    }

    /// Folds y = (W x + b - mean) / sqrt(variance + 1e-5) * norm + shift, per column.
    mutating func fold(batchNorm norm: [Float], shift: [Float], mean: [Float], variance: [Float]) {
        for column in 0..<columns {
            let factor = Double(norm[column]) / (Double(variance[column]) + 1e-5).squareRoot()
            for position in column * depth..<(column + 1) * depth { weights[position] = Float(Double(weights[position]) * factor) }
            bias[column] = Float((Double(bias[column]) - Double(mean[column])) * factor + Double(shift[column]))
        }
    }

    /// Multiplies every column's result by its factor.
    mutating func scale(by factors: [Float]) {
        for column in 0..<columns {
            for position in 0..<depth { weights[column * depth + position] *= factors[column] }
            bias[column] *= factors[column]
        }
    }
}
