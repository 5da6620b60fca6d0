import CSystem
import Kernels
import Network
import System

/// Mask logits as a NumPy array.
public enum MaskLogits {
    /// Writes the mask logits of all queries as a NumPy file, version 1.0: little-endian float32 in C order, queries x rows x columns of
    /// `prediction.maskSize`, a quarter of the padded input's height and width.
    ///
    /// A logit x says that a pixel belongs to the query's mask with the probability 1 / (1 + exp(-x)).
    /// - Throws: when the file cannot be written; then nothing appears.
    public static func write(_ prediction: Prediction, to path: String) throws(Fault) {
        let masks = prediction.masks
        let size = prediction.maskSize
        let file = try AtomicFile(path: path)
        try file.write(header("(\(masks.rows), \(size.height), \(size.width))"))
        // As they lie in memory: every processor that the program runs on is little-endian.
        try file.write(UnsafeRawBufferPointer(start: masks.base, count: masks.count * MemoryLayout<Float>.stride))
        try file.commit()
    }

    /// What comes before the values of an array (numpy.lib.format): magic, version, length of the description, and that, a Python literal,
    /// filled up with blanks so that the values begin at a multiple of 64 bytes.
    private static func header(_ shape: String) -> [UInt8] {
        var description = Array("{'descr': '<f4', 'fortran_order': False, 'shape': \(shape), }".utf8)
        while (10 + description.count + 1) % 64 != 0 { description.append(0x20) }
        description.append(0x0A)
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(description.count & 0xFF), UInt8(description.count >> 8)] + description
    }
}

/// Mask logits as NumPy files.
final class MaskLogitsSink: Sink {
    private let paths: OutputPaths

    init(_ name: String, _ paths: OutputPaths) {
        self.paths = paths
        super.init(name, needs: .logits, form: .array)
    }

    override func write(_ prediction: Prediction, picture: String) throws(Fault) {
        try MaskLogits.write(prediction, to: paths.path(of: picture))
    }
}
