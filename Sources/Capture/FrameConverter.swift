import CImage
import CSystem
import Imaging
import Kernels
import System

/// Turns frames into the network's input in one pass: rows are converted and resized while they are in the cache.
///
/// The result equals, to the bit, the frame converted to RGB (`RowConverter`) and resized as pictures are. JPEG frames are first decoded at
/// a half, a quarter or an eighth where both sides still suffice, by libjpeg's reduced DCT.
public final class FrameConverter {
    private let preprocessor: Preprocessor
    private var converter = RowConverter(FrameLayout(.grey, size: Size(height: 0, width: 0)))
    private var row = GrowingBuffer<UInt8>(), decoded = GrowingBuffer<UInt8>(), turned = GrowingBuffer<UInt8>()
    /// JPEG frames that ended early or were damaged in places, and were used as far as they went.
    public private(set) var patchedCount = 0

    public init(_ preprocessor: Preprocessor) {
        self.preprocessor = preprocessor
    }

    /// The size of a frame's picture, upright. - Throws: when it is a JPEG that cannot be read or is not of the camera's size.
    public func size(of frame: FrameBuffer) throws(Fault) -> Size {
        guard frame.layout.format == .mjpeg else { return frame.layout.size }
        let report = try read(frame, 1, nil, 0)
        let stored = Size(height: Int(report.height), width: Int(report.width))
        try check(frame, stored, report)
        return Orientation(jpeg: frame.encoded).size(of: stored)
    }

    /// A damaged header is refused before its size costs any memory.
    private func check(_ frame: FrameBuffer, _ size: Size, _ report: image_report) throws(Fault) {
        let limit = FrameLayout.longestSide
        let mode = frame.layout.size
        let text = "frame \(frame.number): \(size.width) x \(size.height) pixels"
        guard size.width <= limit, size.height <= limit else { throw Fault("\(text); the limit is \(limit) a side") }
        // Some cameras round their sides up to whole blocks.
        guard mode.area == 0 || ((0..<16).contains(size.width - mode.width) && (0..<16).contains(size.height - mode.height)) else {
            throw Fault("\(text); the camera's mode is \(mode.width) x \(mode.height)")
        }
        // Every block of 16 x 16 pixels takes a bit at least.
        guard frame.count * 8 >= size.area / 256 else { throw Fault("\(text) in \(frame.count) bytes: damaged") }
        let need = size.area * 9 + Int(report.memory)
        guard need > 64 << 20 else { return }
        do throws(Fault) {
            try requireMemory(need, for: "\(text) need")
        } catch {
            // Of this frame alone: the next may be smaller.
            throw Fault(error.message)
        }
    }

    /// Fills the preprocessor's `resized` with a frame of `size`.
    ///
    /// - Parameter full: `size.area * 3` bytes that receive the whole frame as RGB8, for sinks that draw on it; nil when none does.
    /// - Throws: when a JPEG frame cannot be decoded at all.
    public func convert(_ frame: FrameBuffer, size: Size, full: UnsafeMutablePointer<UInt8>? = nil) throws(Fault) {
        guard frame.layout.format != .mjpeg else { return try convertJPEG(frame, size, full) }
        if converter.layout != frame.layout { converter = RowConverter(frame.layout) }
        row.reserve(size.width * 3)
        preprocessor.resize(size: size) { y in
            guard let full else { return converter.row(y, of: frame.bytes, into: row.base) }
            let target = full + y * size.width * 3
            let pixels = converter.row(y, of: frame.bytes, into: target)
            if pixels != UnsafePointer(target) { target.update(from: pixels, count: size.width * 3) }
            return pixels
        }
    }

    private func convertJPEG(_ frame: FrameBuffer, _ size: Size, _ full: UnsafeMutablePointer<UInt8>?) throws(Fault) {
        let wanted = preprocessor.preprocessing.resizedSize(of: size)
        let orientation = Orientation(jpeg: frame.encoded)
        var upright = size
        var denominator = 1
        while denominator < 8 {
            let smaller = Size(height: (size.height + 2 * denominator - 1) / (2 * denominator), width: (size.width + 2 * denominator - 1) / (2 * denominator))
            guard smaller.height >= wanted.height, smaller.width >= wanted.width else { break }
            denominator *= 2
            upright = smaller
        }
        decoded.reserve(upright.area * 3)
        let report = try read(frame, denominator, decoded.base, upright.area * 3)
        if report.warnings > 0 { patchedCount += 1 }
        var pixels = decoded.base
        // Whether sides are exchanged before or after they are divided makes no difference.
        if orientation != .upright {
            turned.reserve(upright.area * 3)
            orientation.turn(pixels, stored: orientation.size(of: upright), into: turned.base)
            pixels = turned.base
        }
        preprocessor.resize(size: size, stored: upright) { UnsafePointer(pixels + $0 * upright.width * 3) }
        // Decoded again at full size: the segments must not depend on the sinks.
        guard let full else { return }
        guard orientation != .upright else {
            _ = try read(frame, 1, full, size.area * 3)
            return
        }
        decoded.reserve(size.area * 3)
        _ = try read(frame, 1, decoded.base, size.area * 3)
        orientation.turn(decoded.base, stored: orientation.size(of: size), into: full)
    }

    private func read(_ frame: FrameBuffer, _ denominator: Int, _ pixels: UnsafeMutablePointer<UInt8>?, _ capacity: Int) throws(Fault) -> image_report {
        var report = image_report()
        guard image_read_jpeg(frame.bytes, frame.count, Int32(denominator), pixels, capacity, &report) != 0 else {
            throw Fault("frame \(frame.number): damaged or unsupported JPEG: \(text(of: report))")
        }
        return report
    }
}

extension FrameBuffer {
    /// The bytes of the frame, until the buffer is filled again.
    var encoded: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: bytes, count: count) }
}
