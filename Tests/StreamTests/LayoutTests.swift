import Capture
import Kernels
import TestSupport
import Testing

@Suite struct LayoutTests {
    @Test func sizesAreThoseOfTheFormats() {
        func count(_ format: FrameFormat, _ width: Int, _ height: Int, stride: Int? = nil) -> Int {
            FrameLayout(format, size: Size(height: height, width: width), stride: stride).byteCount
        }
        #expect(count(.yuv420, 640, 480) == 460_800 && count(.yuv420, 5, 3) == 15 + 2 * 6 && count(.yuv420, 1, 1) == 3)
        #expect(count(.nv12, 640, 480) == 460_800 && count(.nv12, 5, 3) == 15 + 12)
        #expect(count(.yuyv, 640, 480) == 614_400 && count(.yuyv, 5, 3) == 36)
        #expect(count(.rgb24, 5, 3) == 45 && count(.grey, 5, 3) == 15)
        #expect(count(.yuv420, 100, 10, stride: 128) == 1280 + 2 * 64 * 5 && count(.nv12, 100, 10, stride: 128) == 1280 + 128 * 5)
    }

    @Test func wordsOfTheCommandLine() throws {
        #expect(try FrameLayout("nv12:640x480", option: "stdin") == FrameLayout(.nv12, size: Size(height: 480, width: 640)))
        #expect(try FrameLayout("yuv420:1x8192:bt709", option: "stdin") == FrameLayout(.yuv420, size: Size(height: 8192, width: 1), encoding: .bt709))
        #expect(try FrameLayout("mjpeg", option: "stdin").format == .mjpeg)
        #expect(try FrameLayout("yuv420:1296x972:stride=1344", option: "stdin") == FrameLayout(.yuv420, size: Size(height: 972, width: 1296), stride: 1344))
        for text in ["yuyv:5x4:stride=12:full", "yuyv:5x4:full:stride=12"] {
            #expect(try FrameLayout(text, option: "stdin") == FrameLayout(.yuyv, size: Size(height: 4, width: 5), stride: 12, encoding: .full))
        }
        for wrong in [
            "nv12:8x4:stride=7", "rgb24:8x4:stride=23", "nv12:8x4:stride=40000", "nv12:8x4:stride=", "nv12:8x4:stride=9:stride=9", "nv12:8x4:full:full",
            "nv12:8x4:stride=9:full:x",
        ] {
            #expect(faultMessage { _ = try FrameLayout(wrong, option: "stdin") }?.hasPrefix("--stdin \(wrong): ") == true)
        }
        for wrong in [
            "", "nv12", "nv12:", "nv12:640", "nv12:640x", "nv12:0x5", "nv12:8193x5", "nv12:-4x5", "nv21:4x4", "nv12:4x4:pal", "nv12:4x4:full:x", "mjpeg:4x4",
            "nv12:4x4 ",
        ] {
            #expect(faultMessage { _ = try FrameLayout(wrong, option: "stdin") }?.hasPrefix("--stdin \(wrong): ") == true)
        }
    }
}
