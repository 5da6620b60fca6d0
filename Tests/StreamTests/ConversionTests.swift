import Foundation
import Kernels
import TestSupport
import Testing

@testable import Capture
@testable import Imaging

/// The one pass from raw frames to the network's input, against a plain reference in two: whole frame to RGB, then resized as pictures are.
@Suite struct ConversionTests {
    /// BT.601, BT.709 and full range as 16-bit fixed point: luma offset and gain, R per Cr, G per Cb, G per Cr, B per Cb.
    static let gains: [ColourEncoding: [Int]] = [
        .bt601: [16, 76309, 104597, -25675, -53279, 132201],
        .bt709: [16, 76309, 117489, -13975, -34925, 138438],
        .full: [0, 65536, 91881, -22553, -46802, 116130],
    ]

    private func rgb(_ y: UInt8, _ cb: UInt8, _ cr: UInt8, _ encoding: ColourEncoding) -> [UInt8] {
        let g = Self.gains[encoding]!
        let luma = (Int(y) - g[0]) * g[1] + 32768
        let u = Int(cb) - 128
        let v = Int(cr) - 128
        return [luma + g[2] * v, luma + g[3] * u + g[4] * v, luma + g[5] * u].map { UInt8(max(0, min(255, $0 >> 16))) }
    }

    /// The whole frame as RGB8, pixel by pixel.
    private func reference(_ bytes: [UInt8], _ layout: FrameLayout) -> [UInt8] {
        let width = layout.size.width
        let height = layout.size.height
        let stride = layout.stride
        let half = layout.format == .yuv420 ? (stride + 1) / 2 : (stride + 1) / 2 * 2
        let planes = stride * height
        var result: [UInt8] = []
        for y in 0..<height {
            for x in 0..<width {
                switch layout.format {
                case .yuv420:
                    let index = planes + y / 2 * half + x / 2
                    result += rgb(bytes[y * stride + x], bytes[index], bytes[index + half * ((height + 1) / 2)], layout.encoding)
                case .nv12:
                    let index = planes + y / 2 * half + x / 2 * 2
                    result += rgb(bytes[y * stride + x], bytes[index], bytes[index + 1], layout.encoding)
                case .yuyv:
                    let pair = y * stride + x / 2 * 4
                    result += rgb(bytes[pair + x % 2 * 2], bytes[pair + 1], bytes[pair + 3], layout.encoding)
                case .grey: result += [UInt8](repeating: bytes[y * stride + x], count: 3)
                default: result += bytes[(y * stride + x * 3)..<(y * stride + x * 3 + 3)]
                }
            }
        }
        return result
    }

    @Test(arguments: FrameFormat.allCases.filter { $0 != .mjpeg }, ColourEncoding.allCases)
    func onePassEqualsTwo(format: FrameFormat, encoding: ColourEncoding) throws {
        let preprocessor = Preprocessor(Preprocessing(shortestEdge: 32, maximumSize: 80))
        let converter = FrameConverter(preprocessor)
        let plain = Preprocessor(preprocessor.preprocessing)
        for (width, height, gap) in [(64, 48, 0), (160, 120, 0), (37, 53, 0), (101, 33, 27), (1, 1, 0), (32, 32, 0), (90, 32, 6), (7, 200, 0), (640, 3, 64)] {
            let size = Size(height: height, width: width)
            let layout = FrameLayout(format, size: size, stride: FrameLayout.leastStride(format, width: width) + gap, encoding: encoding)
            let bytes = noise(layout.byteCount, seed: UInt64(width))
            let expected = reference(bytes, layout)
            plain.resize(expected, size: size)
            var full = [UInt8](repeating: 0, count: size.area * 3)
            for looking in [false, true] {
                let frame = frame(bytes, layout)
                #expect(try converter.size(of: frame) == size)
                if looking { try converter.convert(frame, size: size, full: &full) } else { try converter.convert(frame, size: size) }
                #expect(preprocessor.resizedSize == plain.resizedSize && preprocessor.paddedSize == plain.paddedSize)
                let count = plain.resizedSize.area * 3
                #expect(
                    Array(UnsafeBufferPointer(start: preprocessor.resized, count: count)) == Array(UnsafeBufferPointer(start: plain.resized, count: count)),
                    "\(format) \(width) x \(height), \(gap) bytes between rows")
            }
            #expect(full == expected)
        }
    }

    /// The standards' own formulas, in float64.
    @Test(arguments: ColourEncoding.allCases) func colourIsWithinOneOfTheStandard(_ encoding: ColourEncoding) throws {
        let (kr, kb) = encoding == .bt709 ? (0.2126, 0.0722) : (0.299, 0.114)
        let kg = 1 - kr - kb
        let (offset, luma, chroma) = encoding == .full ? (0.0, 255.0, 255.0) : (16, 219, 224)
        for y in stride(from: 0, through: 255, by: 15) {
            for cb in stride(from: 0, through: 255, by: 17) {
                for cr in stride(from: 0, through: 255, by: 17) {
                    let l = (Double(y) - offset) / luma
                    let u = (Double(cb) - 128) / chroma
                    let v = (Double(cr) - 128) / chroma
                    let exact = [l + 2 * (1 - kr) * v, l - 2 * (1 - kb) * kb / kg * u - 2 * (1 - kr) * kr / kg * v, l + 2 * (1 - kb) * u]
                    for (value, standard) in zip(rgb(UInt8(y), UInt8(cb), UInt8(cr), encoding), exact) {
                        #expect(abs(Double(value) - max(0, min(255, standard * 255))) <= 0.51)
                    }
                }
            }
        }
    }

    @Test func rowsAreAskedForOnceFromTheTop() {
        let resizer = BilinearResizer()
        let row = [UInt8](repeating: 9, count: 200 * 3)
        for (from, to) in [(200, 31), (31, 200), (200, 200), (3, 1), (1, 3), (97, 96)] {
            var asked: [Int] = []
            var target = [UInt8](repeating: 0, count: 40 * to * 3)
            row.withUnsafeBufferPointer { row in
                resizer.resize(size: Size(height: from, width: 200), into: &target, size: Size(height: to, width: 40)) { y in
                    asked.append(y)
                    return row.baseAddress!
                }
            }
            #expect(asked == Array(0..<from))
            #expect(target.allSatisfy { $0 == 9 })
        }
    }

    // MARK: - JPEG

    private func convert(_ bytes: [UInt8], edge: Int) throws -> (pixels: [UInt8], patched: Int) {
        let preprocessor = Preprocessor(Preprocessing(shortestEdge: edge))
        let converter = FrameConverter(preprocessor)
        let frame = frame(bytes, FrameLayout(.mjpeg, size: Size(height: 0, width: 0)))
        try converter.convert(frame, size: try converter.size(of: frame))
        return (Array(UnsafeBufferPointer(start: preprocessor.resized, count: preprocessor.resizedSize.area * 3)), converter.patchedCount)
    }

    private func picture(_ bytes: [UInt8], edge: Int) throws -> [UInt8] {
        let picture = try bytes.withUnsafeBytes { try Picture.decode($0, name: "test") }
        let preprocessor = Preprocessor(Preprocessing(shortestEdge: edge))
        preprocessor.resize(picture)
        return Array(UnsafeBufferPointer(start: preprocessor.resized, count: preprocessor.resizedSize.area * 3))
    }

    @Test(arguments: ["baseline_420.jpg", "baseline_422.jpg", "progressive.jpg", "grey.jpg", "restart.jpg", "cmyk.jpg"])
    func jpegEqualsThePictureWhereItMustNotShrink(name: String) throws {
        let bytes = try Fixture.bytes("pictures/" + name)
        #expect(try convert(bytes, edge: 30).pixels == picture(bytes, edge: 30))
    }

    /// 420 x 300 decoded at a half, a quarter, an eighth: nearly equal to full decoding and shrinking.
    @Test(arguments: [150, 75, 32]) func jpegDecodedSmallerIsClose(edge: Int) throws {
        let bytes = try Fixture.bytes("pictures/synth_420x300.jpg")
        let small = try convert(bytes, edge: edge).pixels
        let whole = try picture(bytes, edge: edge)
        #expect(small.count == whole.count)
        let differences = zip(small, whole).map { abs(Int($0) - Int($1)) }
        #expect(Double(differences.reduce(0, +)) / Double(differences.count) < 5)
        #expect(small != whole)
    }

    @Test func truncatedJpegIsUsedAsFarAsItGoes() throws {
        let whole = try Fixture.bytes("pictures/synth_420x300.jpg")
        let (pixels, patched) = try convert(Array(whole[..<(whole.count * 2 / 3)]), edge: 300)
        #expect(patched == 1)
        let expected = try picture(whole, edge: 300)
        #expect(pixels[..<(420 * 3 * 100)] == expected[..<(420 * 3 * 100)])
    }

    /// Cameras leave the standard's Huffman tables out.
    @Test func jpegWithoutHuffmanTables() throws {
        let whole = try Fixture.bytes("pictures/baseline_420.jpg")
        var bytes = whole
        while let start = bytes.firstRange(of: [0xFF, 0xC4]) {
            let length = Int(bytes[start.upperBound]) << 8 + Int(bytes[start.upperBound + 1])
            bytes.removeSubrange(start.lowerBound..<start.upperBound + length)
        }
        // Only files with the standard's tables decode without them; the result is always a picture or a clear fault.
        let message = faultMessage { _ = try convert(bytes, edge: 30) }
        #expect(message == nil || message?.contains("JPEG") == true)
    }

    @Test func jpegThatIsNone() throws {
        #expect(faultMessage { _ = try convert(noise(2000), edge: 30) }?.hasPrefix("frame 0: damaged or unsupported JPEG: ") == true)
        #expect(faultMessage { _ = try convert([], edge: 30) }?.contains("JPEG") == true)
    }

    // MARK: - JPEG

    private static let jpeg = FrameLayout(.mjpeg, size: Size(height: 0, width: 0))

    /// A frame is turned as the picture of it is, also where it is decoded at a fraction of its size.
    @Test(arguments: 1...8, [16, 32]) func orientedFrames(orientation: Int, edge: Int) throws {
        let bytes = try Fixture.bytes("pictures/orientation_\(orientation).jpg")
        let picture = try bytes.withUnsafeBytes { try Picture.decode($0, name: "test") }
        let converter = FrameConverter(Preprocessor(Preprocessing(shortestEdge: edge, maximumSize: 200)))
        let frame = frame(bytes, Self.jpeg)
        let full = Picture(size: picture.size)
        #expect(try converter.size(of: frame) == picture.size)
        try converter.convert(frame, size: picture.size, full: full.pixels)
        #expect((0..<picture.byteCount).allSatisfy { full.pixels[$0] == picture.pixels[$0] })
        // The network's input looks like the upright picture at this size.
        let preprocessor = Preprocessor(Preprocessing(shortestEdge: edge, maximumSize: 200))
        let other = Preprocessor(preprocessor.preprocessing)
        try FrameConverter(preprocessor).convert(frame, size: picture.size)
        other.resize(picture)
        #expect(preprocessor.resizedSize == other.resizedSize)
        let count = other.resizedSize.area * 3
        let difference = (0..<count).reduce(0) { $0 + abs(Int(preprocessor.resized[$1]) - Int(other.resized[$1])) }
        #expect(difference < count * 6, "\(difference) of \(count)")
    }

    /// A header with an impossible size is refused before memory is allocated.
    @Test func headersThatClaimTooMuch() throws {
        func claim(_ width: Int, _ height: Int, mode: Size = Size(height: 0, width: 0), padding: Int = 0) throws -> String? {
            var bytes = try Fixture.bytes("pictures/baseline_420.jpg")
            let start = try #require(bytes.firstRange(of: [0xFF, 0xC0])).upperBound + 3
            bytes.replaceSubrange(start..<start + 4, with: [UInt8(height >> 8), UInt8(height & 255), UInt8(width >> 8), UInt8(width & 255)])
            let converter = FrameConverter(Preprocessor(Preprocessing()))
            return faultMessage { _ = try converter.size(of: frame(bytes + [UInt8](repeating: 0, count: padding), FrameLayout(.mjpeg, size: mode))) }
        }
        #expect(try claim(8192, 8192)?.contains("8192 x 8192 pixels in") == true)
        #expect(try claim(8192, 8192, padding: 40_000) == nil)
        #expect(try claim(8193, 10)?.contains("the limit is 8192 a side") == true)
        let mode = Size(height: 37, width: 53)
        #expect(try claim(53, 37, mode: mode) == nil && claim(64, 48, mode: mode) == nil)
        #expect(try claim(54, 36, mode: mode)?.hasSuffix("54 x 36 pixels; the camera's mode is 53 x 37") == true)
        #expect(try claim(640, 480, mode: mode)?.contains("the camera's mode is 53 x 37") == true)
    }
}
