import Foundation
import TestSupport
import Testing

@testable import Imaging

/// Hostile and broken files: one clear line, or a picture; never a crash and never a hang.
@Suite struct DamageTests {
    @Test func otherFilesAreNamed() throws {
        let folder = try TemporaryFolder()
        for (name, bytes) in [("empty", []), ("text", Array("GIF89a is no picture here".utf8)), ("short", [0xFF, 0xD8]), ("png", [0x89, 0x50, 0x4E, 0x47])] {
            let path = try folder.file(name, bytes)
            #expect(faultMessage { _ = try Picture.read(path: path) } == "\(path): not a JPEG or PNG picture")
        }
        let absent = folder.path("absent.jpg")
        #expect(faultMessage { _ = try Picture.read(path: absent) } == "\(absent): No such file or directory")
        #expect(faultMessage { _ = try Picture.read(path: folder.path) }?.hasPrefix(folder.path + ": ") == true)
    }

    @Test(arguments: ["baseline_420.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "restart.jpg"])
    func truncatedJPEG(_ name: String) throws {
        let whole = try pictureFixture(name)
        for count in 3..<whole.count - 2 {
            let message = faultMessage { _ = try decode(Array(whole[..<count])) }
            #expect(message != nil, "\(name) cut to \(count) bytes")
            #expect(message?.hasPrefix("test: ") == true && message?.contains("JPEG") == true)
        }
    }

    @Test func truncatedJPEGOfACameraIsKept() throws {
        let whole = try pictureFixture("baseline_420.jpg")
        let cut = Array(whole[..<(whole.count - 120)])
        #expect(faultMessage { _ = try decode(cut) } == "test: truncated JPEG: Premature end of JPEG file")
        let picture = try decode(cut, tolerant: true)
        #expect(picture.warning == "Premature end of JPEG file")
        let reference = try decode(whole)
        #expect(picture.size == reference.size)
        let firstRows = picture.size.width * 3 * 8
        #expect(hash(picture.pixels, count: firstRows) == hash(reference.pixels, count: firstRows))
    }

    @Test(arguments: ["rgb.png", "palette.png", "interlaced.png", "grey_alpha.png", "rgb16.png"])
    func truncatedPNG(_ name: String) throws {
        let whole = try pictureFixture(name)
        for count in stride(from: 8, to: whole.count - 4, by: max(1, whole.count / 400)) {
            #expect(faultMessage { _ = try decode(Array(whole[..<count])) }?.contains("truncated PNG") == true, "\(name) cut to \(count) bytes")
        }
    }

    @Test(arguments: ["baseline_420.jpg", "progressive.jpg", "cmyk.jpg", "orientation_6.jpg", "rgb.png", "palette.png", "interlaced.png", "orientation_6.png"])
    func flippedBits(_ name: String) throws {
        let whole = try pictureFixture(name)
        var random = Sequence64()
        var decoded = 0
        var refused = 0
        for _ in 0..<600 {
            var bytes = whole
            for _ in 0...Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 2..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            // A flip in the dimensions may give a large picture: allowed up to the limits.
            if let message = faultMessage({ _ = try decode(bytes) }) {
                #expect(message.hasPrefix("test: ") && !message.contains("\n"))
                refused += 1
            } else {
                decoded += 1
            }
        }
        #expect(refused > 0)
        // A PNG has checksums: next to every flip is found.
        #expect(name.hasSuffix(".png") ? refused > 500 : decoded > 50)
    }

    @Test func hostileExifIsIgnored() throws {
        let whole = try pictureFixture("orientation_6.jpg")
        let upright = try decode(pictureFixture("orientation_6.jpg")).size
        let tiff = try #require(whole.firstRange(ofText: "Exif\0\0")).upperBound
        #expect(upright.width > upright.height)
        // Every byte of the EXIF segment to extremes: sizes may turn, nothing may trap.
        for offset in (tiff - 8)..<(tiff + 30) {
            for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
                var bytes = whole
                bytes[offset] = value
                if let picture = try? decode(bytes) { #expect(picture.size.area == upright.area) }
            }
        }
        // The directory far outside, and orientations that do not exist: as stored.
        let value = try #require((tiff..<(tiff + 30)).first { whole[$0] == 6 })
        for wrong: UInt8 in [0, 9, 255] {
            var bytes = whole
            bytes[value] = wrong
            #expect(try decode(bytes).size.width == upright.height)
        }
        var bytes = whole
        for offset in (tiff + 4)..<(tiff + 8) { bytes[offset] = 0xFF }
        #expect(try decode(bytes).size.width == upright.height)
    }

    @Test func hugePicturesAreRefusedBeforeTheyAreRead() throws {
        var png = try pictureFixture("rgb.png")
        // IHDR: width at 16, height at 20, checksum at 29.
        for (offset, byte) in zip(16..<24, [0, 0, 0x9C, 0x40, 0, 0, 0x9C, 0x40] as [UInt8]) { png[offset] = byte }
        var checksum: UInt32 = 0xFFFF_FFFF
        for byte in png[12..<29] {
            checksum ^= UInt32(byte)
            for _ in 0..<8 { checksum = checksum >> 1 ^ (checksum & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        for index in 0..<4 { png[29 + index] = UInt8(truncatingIfNeeded: ~checksum >> UInt32(24 - 8 * index)) }
        let limits = "the limits are 65500 a side and 100 megapixels"
        #expect(faultMessage { _ = try decode(png) } == "test: damaged or unsupported PNG: 40000 x 40000 pixels; \(limits)")
        var jpeg = try pictureFixture("baseline_420.jpg")
        let frame = try #require(jpeg.indices.dropLast().first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
        for (offset, byte) in zip((frame + 5)..<(frame + 9), [0x9C, 0x40, 0x9C, 0x40] as [UInt8]) { jpeg[offset] = byte }
        #expect(faultMessage { _ = try decode(jpeg) } == "test: damaged or unsupported JPEG: 40000 x 40000 pixels; \(limits)")
    }
}
