/// Mean and deviation of each colour that CLIP's pictures are normalised with, on a scale of 0...255.
public enum PixelStatistics {
    public static let mean: (Float, Float, Float) = (122.7709383, 116.7460125, 104.09373615)
    public static let deviation: (Float, Float, Float) = (68.5005327, 66.6321579, 70.32316305)

    /// (value - mean) / deviation of colour `channel` (0 red, 1 green, 2 blue).
    @inlinable
    public static func normalized(_ value: Float, channel: Int) -> Float {
        switch channel {
        case 0: (value - mean.0) / deviation.0
        case 1: (value - mean.1) / deviation.1
        default: (value - mean.2) / deviation.2
        }
    }
}
