import Kernels
import ModelFormat

/// The large matrices of one picture. Those that no two stages need at the same time share memory, and what is unused during a stage serves it as
/// scratch memory.
///
///     first    map of stride 4                                | scratch   | mask logits
///     second   stem's result, maps of strides 8 and 16        | mask features
///     last     map of stride 32
///     tokens                           tokens of all levels             | scratch
struct SharedMaps {
    /// The backbone's maps of strides 4, 8, 16 and 32: area x `dims[i]`.
    let maps: InlineArray<4, Matrix>
    /// The stem's result; `maps[0]` where the backbone's first stage works in place.
    let stem: Matrix
    /// (H/4 W/4) x hidden.
    let features: Matrix
    /// Q x (H/4 W/4).
    let masks: Matrix
    /// S x hidden: the levels of strides 32, 16 and 8, one after the other.
    let tokens: Matrix
    /// All of `first` and `second`, as one row each.
    let first: Matrix
    private let second: Matrix

    /// Takes scratch memory.
    ///
    /// - Parameters: the number of `tokens`; `stemChannels`, nil where the backbone's first stage works in place.
    init<A: Arithmetic>(padded: Size, tokens count: Int, _ architecture: Architecture, stemChannels: Int?, _ arithmetic: A) {
        let areas = InlineArray<4, Int> { Backbone<A>.size(stage: $0, of: padded).area }
        let dims = architecture.dims
        let queries = architecture.queries
        first = arithmetic.matrix(rows: 1, columns: areas[0] * max(dims[0], queries))
        second = arithmetic.matrix(
            rows: 1, columns: max(areas[1] * dims[1] + areas[2] * dims[2], areas[0] * architecture.hidden, areas[0] * (stemChannels ?? 0)))
        maps = [
            Matrix(first.base, rows: areas[0], columns: dims[0]), Matrix(second.base, rows: areas[1], columns: dims[1]),
            Matrix(second.base + areas[1] * dims[1], rows: areas[2], columns: dims[2]), arithmetic.matrix(rows: areas[3], columns: dims[3]),
        ]
        stem = stemChannels.map { [second] in Matrix(second.base, rows: areas[0], columns: $0) } ?? maps[0]
        features = Matrix(second.base, rows: areas[0], columns: architecture.hidden)
        masks = Matrix(first.base, rows: queries, columns: areas[0])
        tokens = arithmetic.matrix(rows: count, columns: architecture.hidden)
    }

    /// Memory that holds nothing while `stage` runs.
    func spare(during stage: Stage) -> Matrix? {
        switch stage {
        case .stem: stem.base == first.base ? second : first
        case .backbone(0): stem.base == first.base ? second : second.dropping(stem.count)
        case .backbone(1): second.dropping(maps[1].count)
        case .backbone, .inputProjections: second.dropping(maps[1].count + maps[2].count)
        case .encoderLayer, .openVocabularyHead: second
        case .maskLogits, .classEmbeddings: Matrix(tokens.base, rows: 1, columns: tokens.count)
        // These share out `first` themselves, and classification's results outlive it.
        case .maskFeatures, .decoderInput, .attentionMask, .decoderLayer, .classification: nil
        }
    }
}

extension Matrix {
    /// A matrix of one row without its first `count` values.
    func dropping(_ count: Int) -> Matrix { Matrix(base + count, rows: 1, columns: columns - count) }
}
