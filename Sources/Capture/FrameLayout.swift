import Kernels
import System

/// How the pixels of a frame are stored. Names are those of the command line.
public enum FrameFormat: Int, CaseIterable, Sendable {
    /// Three planes: Y, then Cb, then Cr at half the width and height (FFmpeg's yuv420p, V4L2's YU12).
    case yuv420
    /// Two planes: Y, then Cb and Cr in turn at half the width and height.
    case nv12
    /// One plane: Y0 Cb Y1 Cr.
    case yuyv
    /// One plane: R G B.
    case rgb24
    /// One plane: Y only.
    case grey
    /// A JPEG picture.
    case mjpeg

    public var name: StaticString {
        switch self {
        case .yuv420: "yuv420"
        case .nv12: "nv12"
        case .yuyv: "yuyv"
        case .rgb24: "rgb24"
        case .grey: "grey"
        case .mjpeg: "mjpeg"
        }
    }

    public static func named(_ name: String) -> FrameFormat? {
        allCases.first { "\($0.name)" == name }
    }
}

/// The meaning of luma and chroma values.
public enum ColourEncoding: Int, CaseIterable, Sendable {
    /// ITU-R BT.601, luma 16...235, chroma 16...240: most cameras.
    case bt601
    /// ITU-R BT.709, the same ranges: high-definition video.
    case bt709
    /// ITU-R BT.601 over the full range 0...255: JPEG.
    case full

    public var name: StaticString {
        switch self {
        case .bt601: "bt601"
        case .bt709: "bt709"
        case .full: "full"
        }
    }
}

/// Size, format and row lengths of frames.
public struct FrameLayout: Equatable, Sendable {
    public let format: FrameFormat
    /// In pixels; not known beforehand (0 x 0) for MJPEG.
    public let size: Size
    /// Bytes from one row of the first plane to the next; 0 for MJPEG.
    public let stride: Int
    public let encoding: ColourEncoding

    /// Longest side of a frame, in pixels.
    public static let longestSide = 8192

    /// - Parameter stride: nil for rows without gaps.
    public init(_ format: FrameFormat, size: Size, stride: Int? = nil, encoding: ColourEncoding = .bt601) {
        self.format = format
        self.size = size
        self.encoding = encoding
        self.stride = stride ?? FrameLayout.leastStride(format, width: size.width)
    }

    /// Bytes of the shortest row that holds `width` pixels. Chroma is shared by two pixels, the last of an odd row's has one.
    public static func leastStride(_ format: FrameFormat, width: Int) -> Int {
        switch format {
        case .yuv420, .nv12, .grey: width
        case .yuyv: (width + 1) / 2 * 4
        case .rgb24: width * 3
        case .mjpeg: 0
        }
    }

    /// Bytes from one row of chroma to the next; of one plane of it with yuv420, of both with nv12.
    var chromaStride: Int {
        format == .yuv420 ? (stride + 1) / 2 : (stride + 1) / 2 * 2
    }

    /// Bytes of a frame; 0 for MJPEG, where they vary.
    public var byteCount: Int {
        let chromaRows = (size.height + 1) / 2
        return switch format {
        case .yuv420: stride * size.height + 2 * chromaStride * chromaRows
        case .nv12: stride * size.height + chromaStride * chromaRows
        case .yuyv, .rgb24, .grey: stride * size.height
        case .mjpeg: 0
        }
    }

    /// Longest row, in bytes.
    private static let longestStride = 4 * longestSide

    /// From the command line: `mjpeg`, or `FORMAT:WxH`, and after that, in any order, `:ENCODING` and `:stride=BYTES`. - Throws: when it is none of these.
    public init(_ text: String, option: StaticString) throws(Fault) {
        let parts = text.utf8.split(separator: 0x3A, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        let expected = "--\(option) \(text): FORMAT:WIDTHxHEIGHT, as in yuv420:1280x720, or mjpeg is expected"
        guard let format = FrameFormat.named(parts[0]) else { throw Fault(expected + "; formats are yuv420, nv12, yuyv, rgb24, grey, mjpeg") }
        if format == .mjpeg {
            guard parts.count == 1 else { throw Fault("--\(option) \(text): JPEG pictures contain their size; mjpeg alone is enough") }
            self.init(.mjpeg, size: Size(height: 0, width: 0))
            return
        }
        guard (2...4).contains(parts.count), let size = FrameLayout.size(parts[1]) else { throw Fault(expected) }
        var encoding: ColourEncoding?
        var stride: Int?
        let least = FrameLayout.leastStride(format, width: size.width)
        for part in parts[2...] {
            if let named = ColourEncoding.allCases.first(where: { "\($0.name)" == part }), encoding == nil {
                encoding = named
            } else if part.utf8.starts(with: "stride=".utf8), stride == nil {
                guard let bytes = Int(String(decoding: part.utf8.dropFirst(7), as: UTF8.self)), (least...FrameLayout.longestStride).contains(bytes) else {
                    throw Fault("--\(option) \(text): a stride of \(least)...\(FrameLayout.longestStride) bytes a row is expected")
                }
                stride = bytes
            } else {
                throw Fault("--\(option) \(text): colours are bt601, bt709 or full; rows longer than their pixels are stride=BYTES")
            }
        }
        self.init(format, size: size, stride: stride, encoding: encoding ?? .bt601)
    }

    /// `WIDTHxHEIGHT`, each 1...8192; nil for anything else.
    public static func size(_ text: String) -> Size? {
        let bytes = Array(text.utf8)
        guard let cross = bytes.firstIndex(of: 0x78),
            let width = Int(String(decoding: bytes[..<cross], as: UTF8.self)), let height = Int(String(decoding: bytes[(cross + 1)...], as: UTF8.self)),
            (1...longestSide).contains(width), (1...longestSide).contains(height)
        else { return nil }
        return Size(height: height, width: width)
    }
}
