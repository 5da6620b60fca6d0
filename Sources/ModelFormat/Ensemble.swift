/// Weights of the out-of-vocabulary classifier in the geometric ensemble (FC-CLIP, equation 7), 0...1.
public struct Ensemble: Sendable {
    /// For classes seen in training.
    public var alpha: Float
    /// For other classes.
    public var beta: Float

    /// By default the weights of the FC-CLIP paper.
    public init(alpha: Float = 0.4, beta: Float = 0.8) {
        self.alpha = alpha
        self.beta = beta
    }
}
