import CSystem
import Imaging
import Network
import System

/// The sink of segment ids.
public enum LabelMap {
    /// Writes the id of every pixel's segment (0 where there is none) as a 16-bit greyscale PNG of the picture's size.
    ///
    /// - Throws: when the file cannot be written; then nothing appears.
    public static func write(_ segmentation: Segmentation, to path: String) throws(Fault) {
        try PNG.write(grey: segmentation.labels, size: segmentation.size, to: path)
    }
}
