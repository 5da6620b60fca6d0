/// Quantized rows, `stride` bytes apart; a real value is `scale * (value - zeroPoint)`.
public struct Int8Rows {
    public let base: UnsafePointer<Int8>
    public let rows: Int
    public let stride: Int
    public let scale: Float
    /// -128...127.
    public let zeroPoint: Int32

    @inlinable
    public init(_ base: UnsafePointer<Int8>, rows: Int, stride: Int, scale: Float, zeroPoint: Int32) {
        self.base = base
        self.rows = rows
        self.stride = stride
        self.scale = scale
        self.zeroPoint = zeroPoint
    }
}
