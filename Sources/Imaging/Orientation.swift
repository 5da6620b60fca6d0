import Kernels
import System

/// How a picture was stored relative to how it is seen (EXIF 2.3, tag 0x0112). The raw value is EXIF's.
package enum Orientation: Int {
    case upright = 1
    case mirrored, upsideDown, flipped, transposed, turnedLeft, transversed, turnedRight

    /// Whether width and height change places.
    var isSideways: Bool { rawValue >= 5 }

    package func size(of stored: Size) -> Size {
        isSideways ? Size(height: stored.width, width: stored.height) : stored
    }

    /// Where the upright picture's pixels lie in the stored one: pixel (y, x) at `origin + y * rowStep + x * columnStep`.
    func walk(over stored: Size) -> (origin: Int, rowStep: Int, columnStep: Int) {
        let width = stored.width
        let last = stored.area - 1
        let bottom = (stored.height - 1) * width
        return switch self {
        case .upright: (0, width, 1)
        case .mirrored: (width - 1, width, -1)
        case .upsideDown: (last, -width, -1)
        case .flipped: (bottom, -width, 1)
        case .transposed: (0, 1, width)
        case .turnedLeft: (bottom, 1, -width)
        case .transversed: (last, -1, -width)
        case .turnedRight: (width - 1, -1, width)
        }
    }

    /// Writes the picture as it is seen. - Parameters: `source` holds RGB8 pixels of `stored`, `target` room for as many.
    package func turn(_ source: UnsafePointer<UInt8>, stored: Size, into target: UnsafeMutablePointer<UInt8>) {
        let (origin, rowStep, columnStep) = walk(over: stored)
        let upright = size(of: stored)
        var target = target
        for y in 0..<upright.height {
            var pixel = source + (origin + y * rowStep) * 3
            for _ in 0..<upright.width {
                target[0] = pixel[0]
                target[1] = pixel[1]
                target[2] = pixel[2]
                target += 3
                pixel += columnStep * 3
            }
        }
    }
}

// MARK: - Reading it from files

extension Orientation {
    /// From the first EXIF segment (APP1) of a JPEG; upright where there is none or it makes no sense.
    package init(jpeg bytes: UnsafeRawBufferPointer) {
        self = .upright
        let file = BoundedBytes(bytes)
        var position = 2
        while let marker = file.byte(position + 1), file.byte(position) == 0xFF {
            switch marker {
            case 0xFF:  // filler
                position += 1
            case 0x01, 0xD0...0xD7:  // no length
                position += 2
            case 0xD9, 0xDA:  // end, or the start of compressed data
                return
            default:
                guard let length = file.unsigned(position + 2, bytes: 2), length >= 2 else { return }
                if marker == 0xE1, length >= 2 + 6, file.matches("Exif\0\0", at: position + 4) {
                    self = Orientation(tiff: file.part(position + 10, count: length - 8))
                    return
                }
                position += 2 + length
            }
        }
    }

    /// From the `eXIf` chunk of a PNG, or from the text that ImageMagick writes in its place; upright where there is neither or it makes no sense.
    init(png bytes: UnsafeRawBufferPointer) {
        self = .upright
        let file = BoundedBytes(bytes)
        var position = 8
        while let length = file.unsigned(position, bytes: 4) {
            let contents = file.part(position + 8, count: length)
            if file.matches("eXIf", at: position + 4) {
                self = Orientation(tiff: contents)
                return
            }
            for kind in PNGText.allCases where file.matches(kind.chunk, at: position + 4) {
                guard let profile = kind.profile(contents) else { continue }
                self = profile.withUnsafeBufferPointer { profile in
                    let profile = BoundedBytes(UnsafeRawBufferPointer(profile))
                    return Orientation(tiff: profile.matches("Exif\0\0", at: 0) ? profile.part(6, count: profile.bytes.count) : profile)
                }
                return
            }
            position += 12 + length
        }
    }

    /// From a TIFF header and its first directory.
    private init(tiff: BoundedBytes) {
        self = .upright
        var file = tiff
        file.isBigEndian = file.matches("MM\0*", at: 0)
        guard file.isBigEndian || file.matches("II*\0", at: 0),
            let directory = file.unsigned(4, bytes: 4), let count = file.unsigned(directory, bytes: 2)
        else { return }
        for index in 0..<count {
            let entry = directory + 2 + index * 12
            guard let tag = file.unsigned(entry, bytes: 2) else { return }
            guard tag == 0x0112 else { continue }
            let width =
                switch file.unsigned(entry + 2, bytes: 2) {
                case 1: 1
                case 3: 2
                case 4: 4
                default: 0
                }
            guard width > 0, file.unsigned(entry + 4, bytes: 4) == 1, let value = file.unsigned(entry + 8, bytes: width) else { return }
            self = Orientation(rawValue: value) ?? .upright
            return
        }
    }
}

/// Integers at positions of a byte buffer; nil where the buffer ends. Positions stay far below overflow: they
/// grow by 32-bit lengths, and no further than the end of the buffer.
struct BoundedBytes {
    let bytes: UnsafeRawBufferPointer
    var isBigEndian = true

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    func byte(_ position: Int) -> UInt8? {
        position >= 0 && position < bytes.count ? bytes[position] : nil
    }

    func unsigned(_ position: Int, bytes count: Int) -> Int? {
        guard position >= 0, position <= bytes.count - count else { return nil }
        var value = 0
        for index in 0..<count {
            value = value << 8 | Int(bytes[position + (isBigEndian ? index : count - 1 - index)])
        }
        return value
    }

    func matches(_ pattern: StaticString, at position: Int) -> Bool {
        guard position >= 0, position <= bytes.count - pattern.utf8CodeUnitCount else { return false }
        for index in 0..<pattern.utf8CodeUnitCount where bytes[position + index] != pattern.utf8Start[index] { return false }
        return true
    }

    /// `count` bytes from `position`, or as many as there are.
    func part(_ position: Int, count: Int) -> BoundedBytes {
        let start = min(position, bytes.count)
        return BoundedBytes(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + count, bytes.count)]))
    }
}
