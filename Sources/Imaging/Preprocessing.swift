import Kernels
import System

/// How pictures become the network's input: sizes and the normalisation, as the original defines them
/// (FC-CLIP's configurations; detectron2's `ResizeShortestEdge`).
public struct Preprocessing {
    /// Length that the shorter side is brought to, in pixels.
    public let shortestEdge: Int
    /// Limit of the longer side, in pixels; it wins over `shortestEdge`.
    public let maximumSize: Int
    /// The network's input is a multiple of this on both sides, in pixels.
    public static let divisibility = 32

    /// The original's evaluation uses 800 and 1333 (Cityscapes and Mapillary 1024 and 2560).
    public init(shortestEdge: Int = 800, maximumSize: Int = 1333) {
        self.shortestEdge = max(shortestEdge, 1)
        self.maximumSize = max(maximumSize, 1)
    }

    /// Size of the picture after resizing, never below one pixel a side.
    ///
    /// The steps are the original's in double precision: the order of products decides the last rounding.
    public func resizedSize(of size: Size) -> Size {
        let height = Double(size.height)
        let width = Double(size.width)
        let edge = Double(shortestEdge)
        let limit = Double(maximumSize)
        let scale = edge / min(height, width)
        var newHeight = height < width ? edge : scale * height
        var newWidth = height < width ? scale * width : edge
        let longest = max(newHeight, newWidth)
        if longest > limit {
            let shrink = limit / longest
            newHeight *= shrink
            newWidth *= shrink
        }
        return Size(height: max(Int(newHeight + 0.5), 1), width: max(Int(newWidth + 0.5), 1))
    }

    /// Size of the network's input: `resized`, extended to the right and at the bottom.
    public func paddedSize(of resized: Size) -> Size {
        let unit = Preprocessing.divisibility
        return Size(height: (resized.height + unit - 1) / unit * unit, width: (resized.width + unit - 1) / unit * unit)
    }
}

/// Pictures in, network input out. Owns its buffers: repeated sizes allocate nothing.
public final class Preprocessor {
    public let preprocessing: Preprocessing
    /// Size of the resized picture, and of the network's input that holds it in its upper left corner.
    public private(set) var resizedSize = Size(height: 0, width: 0)
    public private(set) var paddedSize = Size(height: 0, width: 0)
    /// As `withResized` has it.
    private var pixels = GrowingBuffer<UInt8>()
    var resized: UnsafeMutablePointer<UInt8> { pixels.base }
    private let resizer = BilinearResizer()
    /// (value - mean) / deviation of all 256 values of R, then G, then B.
    private let table = UnsafeMutablePointer<Float>.allocate(capacity: 3 * 256)

    public init(_ preprocessing: Preprocessing) {
        self.preprocessing = preprocessing
        for channel in 0..<3 {
            for value in 0..<256 {
                (table + channel * 256 + value).initialize(to: PixelStatistics.normalized(Float(value), channel: channel))
            }
        }
    }

    /// Calls `body` with the resized picture: RGB8, `resizedSize.area * 3` bytes, which live as long as the call at least.
    public func withResized<Result, Failure: Error>(_ body: (UnsafePointer<UInt8>) throws(Failure) -> Result) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(resized)
    }

    /// Resizes a picture of `size`; `withResized`, `resizedSize` and `paddedSize` then describe it.
    ///
    /// - Parameters:
    ///   - stored: the size that the picture comes in, if it was shrunk already.
    ///   - row: gives a row's `stored.width * 3` bytes of RGB8, valid until the next call; called once for each row, from the top.
    public func resize(size: Size, stored: Size? = nil, row: (Int) -> UnsafePointer<UInt8>) {
        resizedSize = preprocessing.resizedSize(of: size)
        paddedSize = preprocessing.paddedSize(of: resizedSize)
        pixels.reserve(resizedSize.area * 3)
        resizer.resize(size: stored ?? size, into: resized, size: resizedSize, row: row)
    }

    /// The same for RGB8 pixels in memory.
    public func resize(_ pixels: UnsafePointer<UInt8>, size: Size) {
        resize(size: size) { pixels + $0 * size.width * 3 }
    }

    public func resize(_ picture: Picture) {
        picture.withPixels { resize($0, size: picture.size) }
    }

    /// Writes the network's float32 input: `paddedSize.area` pixels of R, G, B (NHWC), normalised; the padding is 0.
    ///
    /// - Parameter input: `paddedSize.area * 3` values.
    public func normalize(into input: UnsafeMutablePointer<Float>) {
        let red = table
        let green = table + 256
        let blue = table + 512
        for y in 0..<paddedSize.height {
            let row = input + y * paddedSize.width * 3
            let filled = y < resizedSize.height ? resizedSize.width : 0
            let source = resized + y * resizedSize.width * 3
            for x in 0..<filled {
                row[x * 3] = red[Int(source[x * 3])]
                row[x * 3 + 1] = green[Int(source[x * 3 + 1])]
                row[x * 3 + 2] = blue[Int(source[x * 3 + 2])]
            }
            (row + filled * 3).update(repeating: 0, count: (paddedSize.width - filled) * 3)
        }
    }

    deinit {
        table.deallocate()
    }
}
