import CSystem
import Imaging
import Network
import System

/// The segment id of every pixel.
public enum LabelMap {
    /// Writes the id of every pixel's segment (0 where there is none) as a 16-bit greyscale PNG of the picture's size.
    ///
    /// - Throws: when the file cannot be written; then nothing appears.
    public static func write(_ segmentation: Segmentation, to path: String) throws(Fault) {
        try PNG.write(grey: segmentation.labels, size: segmentation.size, to: path)
    }
}

/// Label maps as PNG files.
final class LabelMapSink: Sink {
    private let paths: OutputPaths

    init(_ name: String, _ paths: OutputPaths) {
        self.paths = paths
        super.init(name, needs: .segmentation, form: .picture)
    }

    override func write(_ result: SinkResult) throws(Fault) {
        try paths.write(result) { (path) throws(Fault) in try LabelMap.write(result.segmentation, to: path) }
    }
}
