import CSystem
import Imaging
import Kernels
import ModelFormat
import Runtime
import System

/// Signal-to-noise ratio of every int8 layer, each on the fp32 network's input.
public final class LayerAudit {
    private let integer: IntegerArithmetic
    private var linears: [String: IntegerArithmetic.Linear] = [:]
    private var depthwises: [String: IntegerArithmetic.Depthwise] = [:]
    private var points: [String: IntegerArithmetic.QuantizationPoint] = [:]
    private var ratios: [String: SignalToNoise] = [:]
    private let calibration: Calibration
    /// By the layer's name, of all pictures run.
    public private(set) var multiplyAdds: [String: Int] = [:]

    public init(_ calibration: Calibration, model: ModelFile, threads: Int) throws(Fault) {
        self.calibration = calibration
        integer = try IntegerArithmetic(model, kernels: .best, threads: threads)
        for layer in calibration.arithmetic.layers where calibration.scales(layer.input) != nil {
            let point = try integer.quantizationPoint(layer.input.name, channels: layer.input.channels)
            points[layer.input.name] = point
            if layer.role == .depthwise {
                depthwises[layer.name] = try integer.depthwise(layer.name, channels: layer.parameters.columns, input: point)
            } else {
                linears[layer.name] = try integer.linear(
                    layer.name, columns: layer.parameters.columns, depth: layer.parameters.depth, taps: layer.taps, input: point)
            }
        }
    }

    /// Runs one picture through the fp32 network and every int8 layer. - Returns: the layers in network order.
    public func run(_ path: String) throws(Fault) -> [Fidelity] {
        let preprocessor = Preprocessor(calibration.preprocessing)
        preprocessor.resize(try Picture.read(path: path))
        calibration.arithmetic.audit = { [self] in compare($0) }
        defer { calibration.arithmetic.audit = nil }
        preprocessor.withResized {
            calibration.network.run(
                $0, size: preprocessor.resizedSize, padded: preprocessor.paddedSize, classifier: calibration.anyClassifier
            ) { _ in }
        }
        return fidelities
    }

    /// The int8 layers in network order, over all pictures run.
    public var fidelities: [Fidelity] {
        calibration.arithmetic.layers.compactMap { layer in
            ratios[layer.name].map { Fidelity(name: layer.name, decibels: $0.decibels) }
        }
    }

    private func compare(_ run: FloatArithmetic.LayerRun) {
        let layer = run.layer
        multiplyAdds[layer.name, default: 0] += run.result.rows * layer.parameters.weights.count
        guard let point = points[layer.input.name] else { return }
        let mark = integer.mark()
        defer { integer.release(mark) }
        let result: Matrix
        if let depthwise = depthwises[layer.name], let size = run.size {
            let normed = integer.depthwiseNorm(
                integer.operand(run.input, at: point), size: size, depthwise, epsilon: run.epsilon, at: .float(channels: layer.input.channels))
            result = integer.values(normed)
        } else if let linear = linears[layer.name] {
            result = integer.matrix(rows: run.result.rows, columns: run.result.columns)
            integer.linear(input(run, of: linear, point: point), linear, adding: nil, into: result)
        } else {
            return
        }
        ratios[layer.name, default: SignalToNoise()].add(run.result, result)
    }

    private func input(
        _ run: FloatArithmetic.LayerRun, of layer: IntegerArithmetic.Linear, point: IntegerArithmetic.QuantizationPoint
    )
        -> IntegerArithmetic.Operand
    {
        if run.layer.role == .stem { return integer.regrouped(integer.operand(bytes(run.input), rows: run.input.rows, at: point), for: layer) }
        let channels = run.layer.input.channels
        let pixels = Matrix(run.input.base, rows: run.input.count / channels, columns: channels)
        return integer.regrouped(integer.operand(pixels, at: point), for: layer)
    }

    /// The picture's bytes minus 128, from normalized colours.
    private func bytes(_ colours: Matrix) -> [Int8] {
        let mean = PixelStatistics.mean
        let deviation = PixelStatistics.deviation
        return (0..<colours.count).map { index in
            let value = colours.base[index]
            let colour =
                switch index % 3 {
                case 0: value * deviation.0 + mean.0
                case 1: value * deviation.1 + mean.1
                default: value * deviation.2 + mean.2
                }
            return Int8(min(max(colour.rounded() - 128, -128), 127))
        }
    }
}
