import Kernels
import ModelFormat
import System

/// CLIP's visual head: features under a mask to CLIP's joint embedding (FC-CLIP, section 3.3).
enum VisualHead<A: Arithmetic> {
    case mean(MeanPooling<A>)
    case attention(AttentionPooling<A>)

    /// - Parameter name: what the layers' names begin with.
    init(_ name: String, _ arithmetic: A, _ architecture: Architecture) throws(Fault) {
        switch architecture.visualHead {
        case .projection, .mlp: self = .mean(try MeanPooling(name, arithmetic, architecture))
        case .attentionPool(let grid): self = .attention(try AttentionPooling(name, grid: grid, arithmetic, architecture))
        }
    }

    /// Embeddings (`result`: Q x E) of Q masks.
    ///
    /// - Parameters:
    ///   - dense: the backbone's last map, area x C, of `size`.
    ///   - inside: bit `p % 64` of word `p / 64` of a mask's row is set where the mask covers pixel `p`.
    func embeddings(_ dense: Matrix, size: Size, inside: UnsafePointer<UInt64>, wordsPerRow: Int, into result: Matrix) {
        switch self {
        case .mean(let head): head.embeddings(dense, inside: inside, wordsPerRow: wordsPerRow, into: result)
        case .attention(let head): head.embeddings(dense, size: size, inside: inside, wordsPerRow: wordsPerRow, into: result)
        }
    }

    /// Whether the classifier on these embeddings has no say on an empty mask (upstream's ENSEMBLE_ON_VALID_MASK).
    var ignoresEmptyMasks: Bool {
        switch self {
        case .mean: false
        case .attention: true
        }
    }
}
