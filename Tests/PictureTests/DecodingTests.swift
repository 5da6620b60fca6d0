import Foundation
import Kernels
import System
import TestSupport
import Testing

@testable import Capture
@testable import Imaging

@Suite struct DecodingTests {
    struct Expected: Decodable {
        struct Entry: Decodable {
            let size: [Int]
            let hash: String
        }
        let pictures: [String: Entry]
    }

    @Test func pixelsEqualPillows() throws {
        let expected = try table("decoded.json", as: Expected.self).pictures
        #expect(expected.count == 32)
        for (name, entry) in expected {
            let picture = try Picture.read(path: Fixture.path("pictures/" + name))
            #expect([picture.size.height, picture.size.width] == entry.size, "\(name)")
            #expect(hash(picture) == entry.hash, "\(name)")
            #expect(picture.warning == nil, "\(name)")
        }
    }

    @Test func orientationOfPNG() throws {
        let upright = try decode(pictureFixture("rgb.png"))
        let turned = try decode(pictureFixture("orientation_6.png"))
        #expect(upright.size == Size(height: 37, width: 53))
        #expect(hash(upright) == hash(turned))
    }

    /// As ImageMagick writes it: the EXIF profile as text, packed or not, in three kinds of chunks.
    @Test(arguments: ["tEXt", "zTXt", "iTXt", "iTXt packed"], ["exif", "APP1"]) func orientationOfImageMagicksPNG(chunk: String, profile: String) throws {
        let plain = try pictureFixture("rgb.png")
        let upright = try decode(plain)
        func oriented(_ value: UInt8, _ change: (inout [UInt8]) -> Void = { _ in }) throws -> Picture {
            let exif = Array("Exif\0\0MM\0*".utf8) + [0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0]
            let digits = exif.map { String(format: "%02x", $0) }.joined()
            var text = Array(
                "\n\(profile)\n\(String(repeating: " ", count: 8 - "\(exif.count)".count))\(exif.count)\n\(digits.prefix(72))\n\(digits.dropFirst(72))\n".utf8)
            change(&text)
            let packed = zlib(text)
            let body: [UInt8] =
                switch chunk {
                case "tEXt": text
                case "zTXt": [0] + packed
                case "iTXt": [0, 0] + Array("en\0key\0".utf8) + text
                default: [1, 0, 0, 0] + packed
                }
            let contents = Array("Raw profile type \(profile)\0".utf8) + body
            return try decode(
                plain[..<33] + bigEndian(contents.count) + Array(chunk.utf8.prefix(4)) + contents + bigEndian(Int(crc(Array(chunk.utf8.prefix(4)) + contents)))
                    + plain[33...])
        }
        #expect(try hash(oriented(1)) == hash(upright))
        #expect(try oriented(6).size == Size(height: upright.size.width, width: upright.size.height))
        #expect(try hash(oriented(3)) == hash(Picture.upsideDown(upright)))
        // Invalid profiles are ignored.
        for wrong in [0, 5, 12, 20, 30] { #expect(try oriented(6) { $0[$0.count - 2 - wrong] = 0x7A }.size == upright.size) }
        #expect(try oriented(6) { $0.removeAll() }.size == upright.size && oriented(6) { $0.removeLast(20) }.size == upright.size)
    }

    @Test(arguments: 1...8) func orientationIsTheInverseOfHowItWasStored(_ orientation: Int) throws {
        // Lossy, so near: the same upright picture, stored in eight ways.
        let picture = try decode(pictureFixture("orientation_\(orientation).jpg"))
        let upright = try decode(pictureFixture("rgb.png"))
        #expect(picture.size == upright.size)
        var difference = 0
        for index in 0..<picture.byteCount { difference += abs(Int(picture.pixels[index]) - Int(upright.pixels[index])) }
        #expect(difference < picture.byteCount * 4)
    }

    @Test func folderIsSortedByName() throws {
        let folder = try TemporaryFolder()
        for name in ["b.JPG", "a.png", "C.jpeg", "notes.txt", ".hidden.jpg", "jpg"] { _ = try folder.file(name, [0]) }
        let paths = try PictureFolder(path: folder.path).paths
        #expect(paths == ["C.jpeg", "a.png", "b.JPG"].map { folder.path($0) })
        #expect(try PictureFolder(path: folder.path + "/").paths == paths)
        #expect(isFolder(folder.path))
        #expect(!isFolder(folder.path("a.png")))
    }

    @Test func emptyOrAbsentFolderIsAFault() throws {
        let folder = try TemporaryFolder()
        #expect(faultMessage { _ = try PictureFolder(path: folder.path) } == "\(folder.path): no .jpg, .jpeg or .png file in this folder")
        #expect(faultMessage { _ = try PictureFolder(path: folder.path("absent")) } == "\(folder.path("absent")): No such file or directory")
    }
}

/// Stored blocks, which zlib reads like any others.
private func zlib(_ bytes: [UInt8]) -> [UInt8] {
    var a: UInt32 = 1
    var b: UInt32 = 0
    for byte in bytes {
        a = (a + UInt32(byte)) % 65521
        b = (b + a) % 65521
    }
    let count = UInt16(bytes.count)
    return [0x78, 1, 1, UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8)] + bytes + bigEndian(Int(b << 16 | a))
}

private func bigEndian(_ number: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
}

private func crc(_ bytes: [UInt8]) -> UInt32 {
    var checksum: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
        checksum ^= UInt32(byte)
        for _ in 0..<8 { checksum = checksum >> 1 ^ (checksum & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return ~checksum
}

extension Picture {
    fileprivate static func upsideDown(_ picture: Picture) -> Picture {
        let turned = Picture(size: picture.size)
        for pixel in 0..<picture.size.area {
            for channel in 0..<3 { turned.pixels[pixel * 3 + channel] = picture.pixels[(picture.size.area - 1 - pixel) * 3 + channel] }
        }
        return turned
    }
}
