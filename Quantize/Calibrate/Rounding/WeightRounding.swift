import Kernels
import Runtime

/// Chooses the int8 weights of a layer and their scales.
public protocol WeightRounding {
    /// - Parameters:
    ///   - weights: columns x depth, for inputs in int8 steps: the input's factors are in them. May be overwritten.
    ///   - input: nil where none was observed.
    func round(_ weights: Matrix, input: InputSteps?, pool: ThreadPool) -> RoundedWeights
}

/// int8 weights (columns x depth) and the scale of each column.
public struct RoundedWeights {
    public var weights: [Int8]
    public var scales: [Float]

    init(columns: Int, depth: Int) {
        weights = [Int8](repeating: 0, count: columns * depth)
        scales = [Float](repeating: 1, count: columns)
    }
}

/// How weights are rounded; the raw value is the name in tables and model files.
public enum RoundingMethod: String, Sendable, CaseIterable {
    /// To the nearest multiple of a scale that the column's largest weight decides.
    case nearest
    /// To the nearest multiple of the scale of the least square error.
    case meanSquare = "mean-square"
    /// With that scale, each weight's error made good by those behind it.
    case secondOrder = "second-order"

    var rounding: any WeightRounding {
        switch self {
        case .nearest: NearestRounding()
        case .meanSquare: MeanSquareRounding()
        case .secondOrder: SecondOrderRounding()
        }
    }
}

/// The nearest integer of -127...127, as a float.
@inline(__always)
func nearestLevel(_ value: Float) -> Float {
    min(max(value.rounded(.toNearestOrEven), -127), 127)
}
