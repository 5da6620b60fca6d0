import CImage
import Kernels
import System

/// PNG files.
public enum PNG {
    /// Writes `size.area * 3` bytes of RGB8 as a PNG file. - Throws: when the file cannot be written; then nothing appears.
    public static func write(rgb pixels: UnsafePointer<UInt8>, size: Size, to path: String) throws(Fault) {
        // Photographs hardly shrink at higher levels, and those take several times as long.
        try write(pixels, size, channels: 3, level: 1, to: path)
    }

    /// Writes one 16-bit value a pixel as a greyscale PNG file. - Throws: when the file cannot be written; then nothing appears.
    public static func write(grey values: UnsafePointer<UInt16>, size: Size, to path: String) throws(Fault) {
        try write(values, size, channels: 1, level: 6, to: path)
    }

    private static func write(_ pixels: UnsafeRawPointer, _ size: Size, channels: Int32, level: Int32, to path: String) throws(Fault) {
        // Opened first: an unwritable path is reported before the work is done.
        let file = try AtomicFile(path: path)
        var buffer = image_buffer()
        var report = image_report()
        defer { free(buffer.bytes) }
        guard image_write_png(pixels, Int32(size.width), Int32(size.height), channels, level, &buffer, &report) != 0 else {
            throw Fault("\(path): the picture cannot be encoded as PNG (\(size.width) x \(size.height) pixels)")
        }
        try file.write(UnsafeRawBufferPointer(start: buffer.bytes, count: buffer.count))
        try file.commit()
    }
}
