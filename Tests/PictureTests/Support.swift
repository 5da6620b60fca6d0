import Board
import CBoard
import Camera
import Foundation
import Kernels
import TestSupport

/// XXH3-64 as 16 hexadecimal digits, as `xxhash.xxh3_64_hexdigest` writes it.
func hash(_ bytes: UnsafeRawPointer, count: Int) -> String {
    String(format: "%016llx", board_hash64(bytes, count))
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
