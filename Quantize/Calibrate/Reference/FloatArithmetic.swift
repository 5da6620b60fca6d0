import COpenBLAS
import Checkpoint
import Kernels
import Network
import Runtime
import System

/// The network's steps in float32 over OpenBLAS: the reference for int8, and what calibration observes.
public final class FloatArithmetic: ScratchArithmetic {
    public typealias Operand = Matrix

    /// A linear layer and the point that its input is observed at.
    public final class Layer {
        public let name: String
        public let parameters: FloatWeights
        public let input: QuantizationPoint
        /// Depthwise convolutions have `depth` 49 and weights [49][channels].
        public let role: UpstreamNames.Role
        /// As `Arithmetic.linear` is asked for it.
        public let taps: Int

        init(name: String, parameters: FloatWeights, input: QuantizationPoint, role: UpstreamNames.Role, taps: Int = 1) {
            self.name = name
            self.parameters = parameters
            self.input = input
            self.role = role
            self.taps = taps
        }
    }

    /// A place where int8 will quantize, and the layers that read it.
    public final class QuantizationPoint {
        /// Who reads a point, which decides what scales it can have.
        public enum Readers {
            /// The stem, which reads the picture's bytes.
            case stem
            /// Linear layers, whose weights take up factors of the channels.
            case linear
            /// A depthwise convolution: a scale for each channel, zero point 0.
            case depthwise
            /// A kernel that multiplies activations by activations: one scale for all channels; symmetric: zero point 0.
            case kernel(symmetric: Bool)
            /// No product: the values stay in float32.
            case noProduct
        }

        public let name: String
        public let channels: Int
        public internal(set) var consumers: [Layer] = []
        /// What a kernel that reads the point requires (`Arithmetic.require`): whether its zero point is 0. Nil where there is none.
        var kernelIsSymmetric: Bool?

        public var readers: Readers {
            if consumers.contains(where: { $0.role == .stem }) { return .stem }
            if consumers.contains(where: { $0.role == .depthwise }) { return .depthwise }
            if !consumers.isEmpty { return .linear }
            return kernelIsSymmetric.map { .kernel(symmetric: $0) } ?? .noProduct
        }

        init(name: String, channels: Int) {
            self.name = name
            self.channels = channels
        }
    }

    public typealias Linear = Layer
    public typealias Depthwise = Layer

    public let source: FoldedCheckpoint
    public let arena = Arena()
    public let pool: ThreadPool
    /// All points and layers, in the order the network asked for them.
    public private(set) var points: [QuantizationPoint] = []
    public private(set) var layers: [Layer] = []
    /// Parameters by name; their memory lives as long as the arithmetic.
    public private(set) var parameters: [(name: String, values: Matrix)] = []

    /// Off by default, so that `observe` and `audit` get all values.
    public let keepsConstants: Bool
    /// Called with the values at every point.
    public var observe: ((QuantizationPoint, Matrix) -> Void)?
    /// Called with intermediate tensors and their names.
    public var trace: ((String, Matrix) -> Void)?
    /// Called with every layer's input and result.
    public var audit: ((LayerRun) -> Void)?
    /// What computes as if it were int8.
    var simulation = Simulation()
    /// Called with the operands of every product of activations.
    var observeProduct: ((ProductRun) -> Void)?

    /// One use of a layer. Convolutions other than depthwise give their patches as rows.
    public struct LayerRun {
        public let layer: Layer
        public let input: Matrix
        /// Before activation, without position tables; after LayerNorm for a depthwise convolution.
        public let result: Matrix
        /// Of a depthwise convolution's map.
        public var size: Size?
        public var epsilon: Float = 0
    }

    /// One product of activations, and what the names of its points begin with.
    struct ProductRun {
        let name: String
        /// Rows x channels.
        let left, right: Matrix
        let heads: Int
        let blocked: BlockedKeys?
        /// Whether a softmax follows.
        let isAttention: Bool
    }

    public init(_ source: FoldedCheckpoint, threads: Int, keepsConstants: Bool = false) {
        self.source = source
        self.keepsConstants = keepsConstants
        pool = ThreadPool(threads: threads)
        openblas_set_num_threads(Int32(threads))
    }

    deinit {
        for parameter in parameters { parameter.values.base.deallocate() }
    }

    // MARK: Parameters

    public func quantizationPoint(_ name: String, channels: Int) throws(Fault) -> QuantizationPoint {
        let point = QuantizationPoint(name: name, channels: channels)
        points.append(point)
        return point
    }

    /// Float32 has one format only; calibration gives the points scales that the kernel can read.
    public func require(_ points: [QuantizationPoint], symmetric: Bool, for user: String) throws(Fault) {
        for (index, point) in points.enumerated() { point.kernelIsSymmetric = symmetric && index == 0 }
    }

    public func linear(_ name: String, columns: Int, depth: Int, taps: Int, input: QuantizationPoint) throws(Fault) -> Layer {
        let parameters = try source.layer(name)
        guard parameters.columns == columns, parameters.depth == depth else {
            throw Fault("\(name): \(parameters.columns) x \(parameters.depth) weights where \(columns) x \(depth) are expected")
        }
        return register(Layer(name: name, parameters: parameters, input: input, role: try source.names.layer(name).role, taps: taps))
    }

    public func depthwise(_ name: String, channels: Int, input: QuantizationPoint) throws(Fault) -> Layer {
        let parameters = try source.layer(name)
        guard parameters.columns == channels, parameters.weights.count == 49 * channels else {
            throw Fault("\(name): \(parameters.weights.count) weights where 7 x 7 x \(channels) are expected")
        }
        return register(Layer(name: name, parameters: parameters, input: input, role: try source.names.layer(name).role))
    }

    private func register(_ layer: Layer) -> Layer {
        layer.input.consumers.append(layer)
        layers.append(layer)
        return layer
    }

    public func parameter(_ name: String, rows: Int, columns: Int) throws(Fault) -> Matrix {
        let values = try source.parameter(name)
        guard values.count == rows * columns else {
            throw Fault("\(name): \(values.count) values where \(rows) x \(columns) are expected")
        }
        let matrix = Matrix(UnsafeMutablePointer<Float>.allocate(capacity: max(values.count, 1)), rows: rows, columns: columns)
        matrix.base.update(from: values, count: values.count)
        parameters.append((name, matrix))
        return matrix
    }

}
