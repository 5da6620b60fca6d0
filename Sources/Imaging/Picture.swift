import CImage
import Kernels
import System

/// A decoded picture, upright: RGB, 8 bits a channel, rows from top to bottom without gaps.
public final class Picture {
    public let size: Size
    /// As `withPixels` has them. Valid as long as the picture lives, which the pointer does not see to.
    let pixels: UnsafeMutablePointer<UInt8>
    /// What the decoder stepped over while reading, if anything: the pixels may be wrong in places.
    public private(set) var warning: String?

    public var byteCount: Int { size.area * 3 }

    /// Calls `body` with `byteCount` bytes, R G B R G B ..., which live as long as the call at least.
    public func withPixels<Result, Failure: Error>(_ body: (UnsafeMutablePointer<UInt8>) throws(Failure) -> Result) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(pixels)
    }

    /// A black picture. `size` must lie within the limits of `pictures.h`.
    public init(size: Size) {
        self.size = size
        pixels = UnsafeMutablePointer<UInt8>.allocate(capacity: max(size.area * 3, 1))
        pixels.initialize(repeating: 0, count: max(size.area * 3, 1))
    }

    /// Reads a JPEG or PNG file (told apart by content) and turns it upright by its EXIF orientation.
    ///
    /// - Throws: when `path` cannot be read, holds neither format, is damaged or truncated, or exceeds
    ///   65500 pixels a side or 100 megapixels.
    public static func read(path: String) throws(Fault) -> Picture {
        // No encoder makes more bytes of as many pixels as are accepted.
        let bytes = try contents(of: path, limit: 1 << 30)
        return try bytes.withUnsafeBufferPointer { (bytes) throws(Fault) in try decode(UnsafeRawBufferPointer(bytes), name: path) }
    }

    /// The size that `read(path:)` gives, from the file's header alone. - Throws: when that cannot be read.
    public static func size(path: String) throws(Fault) -> Size {
        let bytes = try contents(of: path, limit: 1 << 30)
        return try bytes.withUnsafeBufferPointer { (bytes) throws(Fault) in
            let bytes = UnsafeRawBufferPointer(bytes)
            guard let format = PictureFormat(bytes) else { throw Fault("\(path): not a JPEG or PNG picture") }
            var report = image_report()
            guard format.read(bytes, nil, 0, &report) else { throw format.fault(path, report) }
            return format.orientation(bytes).size(of: Size(height: Int(report.height), width: Int(report.width)))
        }
    }

    /// Like `read(path:)` for an encoded picture in memory; `name` opens the text of faults.
    ///
    /// - Parameter tolerant: keeps what a truncated JPEG holds and reports it in `warning`, for live video.
    public static func decode(_ bytes: UnsafeRawBufferPointer, name: String, tolerant: Bool = false) throws(Fault) -> Picture {
        guard let format = PictureFormat(bytes) else { throw Fault("\(name): not a JPEG or PNG picture") }
        var report = image_report()
        guard format.read(bytes, nil, 0, &report) else { throw format.fault(name, report) }
        let size = Size(height: Int(report.height), width: Int(report.width))
        let orientation = format.orientation(bytes)
        // Small ones are decoded by the dozen a second.
        let need = size.area * (orientation == .upright ? 3 : 6) + Int(report.memory)
        if need > 12_000_000 { try requireMemory(need, for: "\(name): \(size.width)x\(size.height) pixels need") }
        let stored = Picture(size: size)
        guard stored.withPixels({ format.read(bytes, $0, stored.byteCount, &report) }) else { throw format.fault(name, report) }
        guard tolerant || report.truncated == 0 else { throw format.fault(name, report) }
        let upright = stored.turned(orientation)
        upright.warning = report.warnings > 0 ? text(of: report) : nil
        return upright
    }

    deinit {
        pixels.deallocate()
    }

    /// The picture as seen when `orientation` describes how it was stored; itself when it is upright already.
    func turned(_ orientation: Orientation) -> Picture {
        guard orientation != .upright else { return self }
        let turned = Picture(size: orientation.size(of: size))
        turned.withPixels { orientation.turn(pixels, stored: size, into: $0) }
        return turned
    }
}

/// The file formats that are read.
enum PictureFormat {
    case jpeg, png

    init?(_ bytes: UnsafeRawBufferPointer) {
        if bytes.count >= 3, bytes[0] == 0xFF, bytes[1] == 0xD8, bytes[2] == 0xFF {
            self = .jpeg
        } else if bytes.count >= 8, bytes.loadUnaligned(as: UInt64.self) == UInt64(bigEndian: 0x8950_4E47_0D0A_1A0A) {
            self = .png
        } else {
            return nil
        }
    }

    func read(_ bytes: UnsafeRawBufferPointer, _ pixels: UnsafeMutablePointer<UInt8>?, _ capacity: Int, _ report: inout image_report) -> Bool {
        let base = bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
        return switch self {
        case .jpeg: image_read_jpeg(base, bytes.count, 1, pixels, capacity, &report) != 0
        case .png: image_read_png(base, bytes.count, pixels, capacity, &report) != 0
        }
    }

    func orientation(_ bytes: UnsafeRawBufferPointer) -> Orientation {
        switch self {
        case .jpeg: Orientation(jpeg: bytes)
        case .png: Orientation(png: bytes)
        }
    }

    func fault(_ name: String, _ report: image_report) -> Fault {
        let format =
            switch self {
            case .jpeg: "JPEG"
            case .png: "PNG"
            }
        return Fault("\(name): \(report.truncated != 0 ? "truncated" : "damaged or unsupported") \(format): \(text(of: report))")
    }
}

/// The message of a report, as printable ASCII: libraries quote bytes of the file.
package func text(of report: image_report) -> String {
    withUnsafeBytes(of: report.message) { bytes in
        var text = ""
        for byte in bytes {
            if byte == 0 { break }
            text.unicodeScalars.append(Unicode.Scalar(byte >= 0x20 && byte < 0x7F ? byte : 0x3F))
        }
        return text
    }
}
