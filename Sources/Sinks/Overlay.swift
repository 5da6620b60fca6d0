import CSystem
import Imaging
import Kernels
import ModelFormat
import Network
import System

/// Segments painted over the picture, outlined and named.
public enum Overlay {
    /// Paints `segmentation` over `pixels`, the RGB8 picture of `segmentation.size`, in place. Instances that overlap are painted as the label map has them.
    public static func draw(_ segmentation: Segmentation, legend: Legend, on pixels: UnsafeMutablePointer<UInt8>) {
        let size = segmentation.size
        guard size.area > 0, !segmentation.segments.isEmpty else { return }
        let canvas = Canvas(pixels: pixels, size: size)
        let colours = SegmentColours(segmentation.segments, legend)
        // Text and lines grow with the picture: they are to be read when it fills a screen.
        let unit = max(Float(max(size.width, size.height)) / 800, 0.9)
        paint(segmentation, colours, on: canvas, lineWidth: Int32(max(unit * 1.6, 1)))
        LabelPlates(segmentation, legend: legend, colours: colours, unit: unit).draw(on: canvas)
    }

    /// Paints and writes as a PNG file. - Throws: when the file cannot be written; then nothing appears.
    public static func write(
        _ segmentation: Segmentation, legend: Legend, on pixels: UnsafeMutablePointer<UInt8>, to path: String
    ) throws(Fault) {
        draw(segmentation, legend: legend, on: pixels)
        try PNG.write(rgb: pixels, size: segmentation.size, to: path)
    }

    private static func paint(_ segmentation: Segmentation, _ colours: SegmentColours, on canvas: Canvas, lineWidth: Int32) {
        let size = segmentation.size
        let depth = DistanceTransform(segmentation.labels, size, horizontal: 1, vertical: 1)
        for y in 0..<size.height {
            for x in 0..<size.width {
                let index = y * size.width + x
                guard let paint = colours[Int(segmentation.labels[index])] else { continue }
                let isEdge =
                    depth.depths[index] <= lineWidth && x >= lineWidth && y >= lineWidth && x < size.width - Int(lineWidth)
                    && y < size.height - Int(lineWidth)
                if isEdge {
                    canvas.blend(x, y, paint.line, paint.isThing ? 1 : 0.75)
                } else {
                    canvas.blend(x, y, paint.fill, paint.isThing ? 0.5 : 0.37)
                }
            }
        }
    }
}

/// Overlays as PNG files. The canvas is drawn on.
final class OverlaySink: Sink {
    private let paths: OutputPaths

    init(_ name: String, _ paths: OutputPaths) {
        self.paths = paths
        super.init(name, needs: [.segmentation, .canvas], form: .picture)
    }

    override func write(_ result: SinkResult) throws(Fault) {
        guard let canvas = result.canvas else { return }
        try paths.write(result) { (path) throws(Fault) in
            try canvas.withPixels { (pixels) throws(Fault) in try Overlay.write(result.segmentation, legend: result.legend, on: pixels, to: path) }
        }
    }
}
