import CImage

/// The chunks of a PNG that hold text (PNG specification, 11.3.4), and the profiles that ImageMagick writes into them: a line with the profile's
/// name, one with its length, then its bytes in hexadecimal, 36 a line.
enum PNGText: CaseIterable {
    case plain, compressed, international

    var chunk: StaticString {
        switch self {
        case .plain: "tEXt"
        case .compressed: "zTXt"
        case .international: "iTXt"
        }
    }

    /// More text than the largest EXIF profile (64 KiB) makes is none.
    private static let longest = 256 << 10

    /// The EXIF profile in a chunk of this kind; nil where it holds another text or makes no sense.
    func profile(_ chunk: BoundedBytes) -> [UInt8]? {
        guard chunk.matches("Raw profile type exif\0", at: 0) || chunk.matches("Raw profile type APP1\0", at: 0) else { return nil }
        return text(chunk, from: 22).flatMap(PNGText.profile)
    }

    /// What follows on the keyword, unpacked.
    private func text(_ chunk: BoundedBytes, from start: Int) -> [UInt8]? {
        var start = start
        var isPacked = false
        switch self {
        case .plain: break
        case .compressed:
            guard chunk.byte(start) == 0 else { return nil }
            isPacked = true
            start += 1
        case .international:
            guard let flag = chunk.byte(start), flag < 2, chunk.byte(start + 1) == 0 else { return nil }
            isPacked = flag == 1
            start += 2
            // A language and a keyword in it, each ended by a zero.
            for _ in 0..<2 {
                while let byte = chunk.byte(start), byte != 0 { start += 1 }
                start += 1
            }
        }
        let bytes = chunk.part(start, count: chunk.bytes.count).bytes
        guard bytes.count <= PNGText.longest, let base = bytes.baseAddress else { return nil }
        guard isPacked else { return Array(bytes) }
        let text = [UInt8](unsafeUninitializedCapacity: PNGText.longest) { target, count in
            count = image_inflate(base.assumingMemoryBound(to: UInt8.self), bytes.count, target.baseAddress!, target.count)
        }
        return text.isEmpty ? nil : text
    }

    /// The bytes of a profile's text.
    private static func profile(_ text: [UInt8]) -> [UInt8]? {
        let lines = text.split(separator: 0x0A, omittingEmptySubsequences: true)
        guard lines.count > 2, let length = Int(String(decoding: lines[1].drop { $0 == 0x20 }, as: UTF8.self)), (1...longest).contains(length) else {
            return nil
        }
        var bytes: [UInt8] = []
        var high: UInt8?
        for line in lines[2...] {
            for character in line {
                guard let digit = digit(character) else { return nil }
                if let first = high {
                    bytes.append(first << 4 | digit)
                    high = nil
                } else {
                    high = digit
                }
            }
        }
        return bytes.count == length && high == nil ? bytes : nil
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x61...0x66: character - 0x57
        case 0x41...0x46: character - 0x37
        default: nil
        }
    }
}
