import CSystem
import Capture
import Imaging
import System
import TestSupport

/// Streams as they arrive on standard input. A case's first line is the format of the rest, as an argument of `--stdin`.
enum Streams {
    static let raw: [[UInt8]] = ["yuv420:37x21", "nv12:16x16:bt709", "yuyv:9x5:full", "rgb24:7x3", "grey:20x5"].map { text in
        Array(text.utf8) + [0x0A] + (0..<3000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    }

    static func pictures() throws -> [[UInt8]] {
        try ["baseline_420.jpg", "baseline_422.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "restart.jpg", "one_pixel.jpg"].map {
            try Fixture.bytes("pictures/" + $0)
        }
    }

    /// Captures on a thread of its own, as a live run does, and converts every frame.
    static func read(_ path: String) throws {
        let descriptor = system_open(path, O_RDONLY, 0)
        defer { close(descriptor) }
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while CSystem.read(descriptor, &byte, 1) == 1, byte != 0x0A { line.append(byte) }
        let layout = try FrameLayout(String(decoding: line, as: UTF8.self), option: "stdin")
        let source = PipeSource("case", descriptor: descriptor, layout: layout, stop: try Cancellation())
        let mailbox = FrameMailbox(keepsAll: true)
        let end = End()
        let thread = try Thread {
            do throws(Fault) { try source.capture(into: mailbox) } catch { end.fault = error }
            mailbox.end()
        }
        let preprocessor = Preprocessor(Preprocessing(shortestEdge: 32, maximumSize: 64))
        let converter = FrameConverter(preprocessor)
        var refused = 0
        while let frame = mailbox.take() {
            do throws(Fault) {
                let size = try converter.size(of: frame)
                // A hostile header may announce a large picture: its pixels are read only if they are few.
                let full = size.area < 1 << 20 ? Picture(size: size) : nil
                if let full {
                    try full.withPixels { (pixels) throws(Fault) in try converter.convert(frame, size: size, full: pixels) }
                } else {
                    try converter.convert(frame, size: size)
                }
            } catch {
                precondition(error.message.utf8.count < 400)
                refused += 1
            }
        }
        thread.join()
        if let fault = end.fault { throw fault }
        if refused > 0 { throw Fault("\(refused) frames refused") }
    }

    private final class End: @unchecked Sendable {
        /// Read when the thread is joined.
        var fault: Fault?
    }
}
