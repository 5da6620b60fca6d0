/// The mean of each square of 2x2 pixels in two lines of a map.
public struct AveragePool {
    /// Two lines of `width` pixels, even, of `channels` values each.
    public let x: UnsafePointer<Float>
    public let width, channels: Int
    /// Receives `width / 2` pixels from row 0 on.
    public let output: RowOutput

    @inlinable
    public init(_ x: UnsafePointer<Float>, width: Int, channels: Int, output: RowOutput) {
        (self.x, self.width, self.channels, self.output) = (x, width, channels, output)
    }

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        for pixel in 0..<width / 2 {
            let upper = x + 2 * pixel * channels
            let lower = upper + width * channels
            forEachGroup(channels) {
                output.write(mean(upper + $0, lower + $0, count: 16), row: pixel, column: $0, count: 16)
            } rest: {
                output.write(mean(upper + $0, lower + $0, count: $1), row: pixel, column: $0, count: $1)
            }
        }
    }

    @usableFromInline @_transparent
    func mean(_ upper: UnsafePointer<Float>, _ lower: UnsafePointer<Float>, count: Int) -> Lanes {
        let above = load(upper, count: count) + load(upper + channels, count: count)
        let below = load(lower, count: count) + load(lower + channels, count: count)
        return (above + below) * 0.25
    }
}
