import Imaging
import Kernels
import System

/// PNG files whose values are numbers, not colours: they must come out of the decoder as they went in.
enum AnnotationMap {
    enum Form {
        /// One byte a pixel; decoded to three equal ones.
        case grey
        /// Three bytes a pixel.
        case colour
    }

    /// - Throws: when the file is no PNG of 8 bits in `form` or not of `size`.
    static func read(_ path: String, form: Form, size: Size) throws(Fault) -> Picture {
        let bytes = try contents(of: path, limit: 1 << 30)
        // Bytes 24 and 25 of a PNG are the depth and the colour type of its header.
        guard bytes.count > 25, bytes[0] == 0x89 else { throw Fault("\(path): not a PNG picture") }
        let types: [UInt8] = form == .grey ? [0, 4] : [2, 6]
        guard bytes[24] == 8, types.contains(bytes[25]) else {
            throw Fault(
                "\(path): \(form == .grey ? "a label map is a grey PNG" : "an id map is an RGB PNG") of 8 bits a channel, without a palette; this one is of another kind"
            )
        }
        let map = try bytes.withUnsafeBufferPointer { (bytes) throws(Fault) in try Picture.decode(UnsafeRawBufferPointer(bytes), name: path) }
        guard map.size == size else {
            throw Fault("\(path): \(map.size.width) x \(map.size.height) pixels, its picture has \(size.width) x \(size.height)")
        }
        return map
    }
}
