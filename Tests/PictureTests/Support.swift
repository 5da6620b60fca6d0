import CHash
import Foundation
import Network
import TestSupport

@testable import Imaging

/// XXH3-64 as 16 hexadecimal digits, as `xxhash.xxh3_64_hexdigest` writes it.
func hash(_ bytes: UnsafeRawPointer, count: Int) -> String {
    String(format: "%016llx", hash_xxh3(bytes, count))
}

func hash(_ picture: Picture) -> String {
    hash(picture.pixels, count: picture.byteCount)
}

/// Decodes bytes as `Picture.read` does a file.
func decode(_ bytes: [UInt8], tolerant: Bool = false) throws -> Picture {
    try bytes.withUnsafeBytes { try Picture.decode($0, name: "test", tolerant: tolerant) }
}

func pictureFixture(_ name: String) throws -> [UInt8] {
    try Fixture.bytes("pictures/" + name)
}

/// The decoded JSON of a fixture written by one of the scripts beside it.
func table<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
    try JSONDecoder().decode(type, from: Data(pictureFixture(name)))
}

/// Numbers that look random and are the same in every run (xorshift64).
struct Sequence64: RandomNumberGenerator {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

extension Segmentation {
    /// Adds a segment that covers the union of rectangles, painted over earlier segments.
    mutating func add(_ rectangles: [Box], category: Int = 0, synonym: Int = 0, isThing: Bool = true, score: Float = 0.5) {
        let id = segments.count + 1
        var mask = [UInt64](repeating: 0, count: (size.area + 63) / 64)
        var area = 0
        var left = size.width
        var top = size.height
        var right = 0
        var bottom = 0
        for box in rectangles {
            for y in box.y..<box.y + box.height {
                for x in box.x..<box.x + box.width {
                    let pixel = y * size.width + x
                    if mask[pixel >> 6] >> UInt64(pixel & 63) & 1 == 0 { area += 1 }
                    mask[pixel >> 6] |= 1 << UInt64(pixel & 63)
                    labels[pixel] = UInt16(id)
                }
            }
            (left, top) = (min(left, box.x), min(top, box.y))
            (right, bottom) = (max(right, box.x + box.width), max(bottom, box.y + box.height))
        }
        let box = area == 0 ? Box(x: 0, y: 0, width: 0, height: 0) : Box(x: left, y: top, width: right - left, height: bottom - top)
        if task == .instance { masks.append(mask) }
        segments.append(Segment(id: id, category: category, synonym: synonym, isThing: isThing, score: score, area: area, box: box))
    }
}
