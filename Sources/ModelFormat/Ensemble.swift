/// Weights of the out-of-vocabulary classifier in the geometric ensemble (FC-CLIP, equation 7), 0...1.
public struct Ensemble: Sendable {
    /// For classes seen in training.
    public var alpha: Float
    /// For classes never seen.
    public var beta: Float

    /// The paper's weights unless given.
    public init(alpha: Float = 0.4, beta: Float = 0.8) {
        self.alpha = alpha
        self.beta = beta
    }
}
