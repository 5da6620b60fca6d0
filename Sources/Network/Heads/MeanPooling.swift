import Kernels
import ModelFormat
import System

/// ConvNeXt's visual head: features are averaged under the mask, normalised and projected, by one layer, or by two with a GELU
/// between them.
struct MeanPooling<A: Arithmetic> {
    private enum Projection {
        case linear
        /// The first layer of two, and the point that it reads.
        case multilayer(expand: A.Linear, input: A.QuantizationPoint)
    }

    let arithmetic: A
    let epsilon: Float
    let densePoint: A.QuantizationPoint
    private let projection: Projection
    let projectInput: A.QuantizationPoint
    let project: A.Linear

    /// - Parameter name: what the layers' names begin with.
    init(_ name: String, _ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        self.arithmetic = arithmetic
        epsilon = architecture.backboneEpsilon
        let channels = architecture.dims[3]
        let hidden = architecture.visualHidden
        densePoint = try arithmetic.quantizationPoint(name + "dense", channels: channels)
        projectInput = try arithmetic.quantizationPoint(name + "project.input", channels: hidden > 0 ? hidden : channels)
        if hidden > 0 {
            let input = try arithmetic.quantizationPoint(name + "expand.input", channels: channels)
            projection = .multilayer(expand: try arithmetic.linear(name + "expand", columns: hidden, depth: channels, input: input), input: input)
        } else {
            projection = .linear
        }
        project = try arithmetic.linear(name + "project", columns: architecture.embedding, depth: hidden > 0 ? hidden : channels, input: projectInput)
    }

    /// As `VisualHead.embeddings`. An empty mask has zeros for features.
    func embeddings(_ dense: Matrix, inside: UnsafePointer<UInt64>, wordsPerRow: Int, into result: Matrix) {
        let pooled = arithmetic.matrix(rows: result.rows, columns: dense.columns)
        arithmetic.maskedMean(inside, wordsPerRow: wordsPerRow, features: arithmetic.operand(dense, at: densePoint), into: pooled)
        arithmetic.record("clip.mask_pooled", pooled)
        arithmetic.normalizeRows(pooled, epsilon: epsilon)
        switch projection {
        case .linear:
            arithmetic.linear(arithmetic.operand(pooled, at: projectInput), project, adding: nil, into: result)
        case .multilayer(let expand, let input):
            let hidden = arithmetic.linear(arithmetic.operand(pooled, at: input), expand, adding: nil, activation: .gelu, at: projectInput)
            arithmetic.linear(hidden, project, adding: nil, into: result)
        }
    }
}
