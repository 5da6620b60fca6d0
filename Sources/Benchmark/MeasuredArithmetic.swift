import Kernels
import Network
import Runtime
import System

/// Time and multiply-adds of some work.
public struct Measure {
    public var milliseconds = 0.0
    public var multiplyAdds = 0
}

/// The int8 arithmetic with a stopwatch: forwards every step and notes its time and the multiply-adds that its shapes ask for.
public final class MeasuredArithmetic: CountingArithmetic {
    public typealias Operand = IntegerArithmetic.Operand
    public typealias Linear = IntegerArithmetic.Linear
    public typealias Depthwise = IntegerArithmetic.Depthwise
    public typealias QuantizationPoint = IntegerArithmetic.QuantizationPoint

    /// The steps that are measured; a fused step counts as one.
    public enum Step: Int, CaseIterable {
        case feedForward, linear, convolution3x3, convolution, depthwise, attention, sampling, masks, similarity, quantization

        public var name: StaticString {
            switch self {
            case .feedForward: "feed-forward"
            case .linear: "linear layers"
            case .convolution3x3: "3x3 convolutions"
            case .convolution: "stem and reductions"
            case .depthwise: "depthwise 7x7 and norm"
            case .attention: "attention"
            case .sampling: "deformable sampling"
            case .masks: "masks"
            case .similarity: "similarities"
            case .quantization: "to int8"
            }
        }
    }

    public let base: IntegerArithmetic
    private var measures = [Measure](repeating: Measure(), count: Step.allCases.count)

    public init(_ base: IntegerArithmetic) {
        self.base = base
    }

    /// The time and multiply-adds of each step, by its raw value, since the last call.
    public func takeMeasures() -> [Measure] {
        defer {
            for index in measures.indices { measures[index] = Measure() }
        }
        return measures
    }

    /// The time of the steps inside the present one, which is not its own.
    private var inner = 0.0

    private func measure<Result>(_ step: Step, _ multiplyAdds: Int, _ body: () -> Result) -> Result {
        let outer = inner
        inner = 0
        let start = monotonicMilliseconds()
        let result = body()
        let time = monotonicMilliseconds() - start
        measures[step.rawValue].milliseconds += time - inner
        measures[step.rawValue].multiplyAdds += multiplyAdds
        inner = outer + time
        return result
    }

    // MARK: Parameters

    public func quantizationPoint(_ name: String, channels: Int) throws(Fault) -> QuantizationPoint {
        try base.quantizationPoint(name, channels: channels)
    }

    public func linear(_ name: String, columns: Int, depth: Int, taps: Int, input: QuantizationPoint) throws(Fault) -> Linear {
        try base.linear(name, columns: columns, depth: depth, taps: taps, input: input)
    }

    public func depthwise(_ name: String, channels: Int, input: QuantizationPoint) throws(Fault) -> Depthwise {
        try base.depthwise(name, channels: channels, input: input)
    }

    public func require(_ points: [QuantizationPoint], symmetric: Bool, for user: String) throws(Fault) {
        try base.require(points, symmetric: symmetric, for: user)
    }

    public func parameter(_ name: String, rows: Int, columns: Int) throws(Fault) -> Matrix {
        try base.parameter(name, rows: rows, columns: columns)
    }

    // MARK: Memory, threads, tracing

    public func matrix(rows: Int, columns: Int) -> Matrix { base.matrix(rows: rows, columns: columns) }
    public func scratch<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> { base.scratch(type, count: count) }
    public func words(_ count: Int) -> UnsafeMutablePointer<UInt64> { base.words(count) }
    public func reserve(shared: Int, perThread: Int) { base.reserve(shared: shared, perThread: perThread) }
    public func mark() -> ScratchMark { base.mark() }
    public func release(_ mark: ScratchMark) { base.release(mark) }
    public func withScratch(in memory: Matrix, _ body: () -> Void) -> Int { base.withScratch(in: memory, body) }
    public func parallel(_ count: Int, _ body: (Range<Int>) -> Void) { base.parallel(count, body) }
    public func compute(_ body: () -> Void) { base.compute(body) }
    public func count(_ work: () -> Void) -> (shared: Int, perThread: Int) { base.count(work) }
    public func perform(_ kernel: FloatKernel) { base.perform(kernel) }
    public var isTracing: Bool { false }
    public func record(_ name: @autoclosure () -> String, _ values: Matrix) {}
    public func record(_ name: @autoclosure () -> String, _ values: Operand) {}

    // MARK: Products

    public var keepsConstants: Bool { base.keepsConstants }

    public func operand(_ values: Matrix, at point: QuantizationPoint) -> Operand {
        measure(.quantization, 0) { base.operand(values, at: point) }
    }

    public func operand(size: Size, columns: Int, at point: QuantizationPoint, bordered: Bool, _ write: (MapOutput) -> Void) -> Operand {
        measure(.quantization, 0) { base.operand(size: size, columns: columns, at: point, bordered: bordered, write) }
    }

    public func rows(_ range: Range<Int>, of operand: Operand) -> Operand { base.rows(range, of: operand) }

    public func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, into result: Matrix) {
        measure(.linear, x.rows * layer.weightCount) { base.linear(x, layer, adding: table, into: result) }
    }

    public func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, activation: Activation, at point: QuantizationPoint) -> Operand {
        measure(.linear, x.rows * layer.weightCount) { base.linear(x, layer, adding: table, activation: activation, at: point) }
    }

    public func linear(_ x: Operand, _ layer: Linear, addingTo stream: Matrix, activation: Activation) {
        measure(.linear, x.rows * layer.weightCount) { base.linear(x, layer, addingTo: stream, activation: activation) }
    }

    public func feedForward(_ x: Operand, expand: Linear, activation: Activation, at hidden: QuantizationPoint, project: Linear, addingTo stream: Matrix) {
        measure(.feedForward, x.rows * (expand.weightCount + project.weightCount)) {
            base.feedForward(x, expand: expand, activation: activation, at: hidden, project: project, addingTo: stream)
        }
    }

    public func table(_ x: Matrix, _ layer: Linear, into result: Matrix) { base.table(x, layer, into: result) }

    // MARK: Convolutions

    public func stem(
        _ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, window: Window, _ layer: Linear, activation: Activation, into output: MapOutput
    ) {
        measure(.convolution, padded.area / (window.stride * window.stride) * layer.weightCount) {
            base.stem(pixels, size: size, padded: padded, window: window, layer, activation: activation, into: output)
        }
    }

    public func depthwiseNorm(_ x: Operand, size: Size, _ layer: Depthwise, epsilon: Float, at point: QuantizationPoint) -> Operand {
        measure(.depthwise, x.rows * 49 * x.columns) { base.depthwiseNorm(x, size: size, layer, epsilon: epsilon, at: point) }
    }

    public func normReduce(_ x: Matrix, size: Size, epsilon: Float, at point: QuantizationPoint, _ layer: Linear, into map: Matrix) {
        measure(.convolution, map.rows * layer.weightCount) { base.normReduce(x, size: size, epsilon: epsilon, at: point, layer, into: map) }
    }

    public func convolution1x1(_ x: Operand, size: Size, _ layer: Linear, activation: Activation, into output: MapOutput) {
        measure(.linear, size.area * layer.weightCount) { base.convolution1x1(x, size: size, layer, activation: activation, into: output) }
    }

    public func convolution3x3(_ x: Operand, size: Size, _ layer: Linear, activation: Activation, pooled: Bool, into output: MapOutput) {
        measure(.convolution3x3, size.area * layer.weightCount) {
            base.convolution3x3(x, size: size, layer, activation: activation, pooled: pooled, into: output)
        }
    }

    // MARK: Attention

    public func attention(query: Operand, key: Operand, value: Operand, heads: Int, blocked: BlockedKeys?, at point: QuantizationPoint) -> Operand {
        measure(.attention, query.rows * key.rows * (query.columns + value.columns)) {
            base.attention(query: query, key: key, value: value, heads: heads, blocked: blocked, at: point)
        }
    }

    public func sampledAttention(
        value: Operand, offsets: Matrix, weights: Matrix, levels: [Size], heads: Int, points: Int, at point: QuantizationPoint
    ) -> Operand {
        // Every sample is the mean of four pixels.
        measure(.sampling, offsets.rows * levels.count * points * 4 * value.columns) {
            base.sampledAttention(value: value, offsets: offsets, weights: weights, levels: levels, heads: heads, points: points, at: point)
        }
    }

    // MARK: Masks

    public func masks(_ embeddings: Operand, features: Operand, into result: Matrix) {
        measure(.masks, result.count * embeddings.columns) { base.masks(embeddings, features: features, into: result) }
    }

    /// Counted as the product with a matrix of zeros and ones that it stands for.
    public func maskedMean(_ bits: UnsafePointer<UInt64>, wordsPerRow: Int, features: Operand, into result: Matrix) {
        measure(.masks, result.count * features.rows) { base.maskedMean(bits, wordsPerRow: wordsPerRow, features: features, into: result) }
    }

    public func comparands(_ rows: Matrix) -> IntegerArithmetic.Halves {
        measure(.similarity, 0) { base.comparands(rows) }
    }

    public func similarity(_ x: Matrix, _ rows: IntegerArithmetic.Halves, into result: Matrix) {
        measure(.similarity, result.count * x.columns) { base.similarity(x, rows, into: result) }
    }

    public func similarity(_ x: Matrix, _ rows: Matrix, into result: Matrix) {
        measure(.similarity, result.count * x.columns) { base.similarity(x, rows, into: result) }
    }
}
