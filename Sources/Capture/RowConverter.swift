import Kernels

/// Rows of raw frames to RGB8, one at a time, so that a frame never exists as RGB unless a sink needs it.
///
/// Exactly, in integers: with c = luma gain x (Y - luma offset) + 2^15, R = clip((c + a(Cr - 128)) >> 16), G and B likewise, gains being
/// the encoding's times 2^16, rounded to nearest. Chroma is repeated, not interpolated: frames are shrunk afterwards. Grey is R = G = B as it comes.
struct RowConverter {
    let layout: FrameLayout
    private let lumaOffset: Int32, luma: Int32
    private let redCr: Int32, greenCb: Int32, greenCr: Int32, blueCb: Int32

    init(_ layout: FrameLayout) {
        self.layout = layout
        let isFull = layout.encoding == .full
        // Shares of red and blue in luma.
        let (kr, kb) = layout.encoding == .bt709 ? (0.2126, 0.0722) : (0.299, 0.114)
        let lumaGain = isFull ? 1 : 255.0 / 219
        let chromaGain = isFull ? 1 : 255.0 / 224
        func fixed(_ value: Double) -> Int32 { Int32((value * 65536).rounded()) }
        lumaOffset = isFull ? 0 : 16
        luma = fixed(lumaGain)
        redCr = fixed(chromaGain * 2 * (1 - kr))
        blueCb = fixed(chromaGain * 2 * (1 - kb))
        greenCb = fixed(-chromaGain * 2 * (1 - kb) * kb / (1 - kr - kb))
        greenCr = fixed(-chromaGain * 2 * (1 - kr) * kr / (1 - kr - kb))
    }

    /// Row `y` of `frame` as `layout.size.width` pixels of R, G, B: in `row`, or where it lies if it is RGB already.
    ///
    /// - Parameter frame: `layout.byteCount` bytes; not MJPEG.
    func row(_ y: Int, of frame: UnsafePointer<UInt8>, into row: UnsafeMutablePointer<UInt8>) -> UnsafePointer<UInt8> {
        let width = layout.size.width
        let line = frame + y * layout.stride
        let planes = frame + layout.size.height * layout.stride
        let chroma = planes + y / 2 * layout.chromaStride
        switch layout.format {
        case .yuv420:
            let second = chroma + layout.chromaStride * ((layout.size.height + 1) / 2)
            pairs(width, into: row, luma: line, step: 1, cb: chroma, cr: second, chromaStep: 1)
        case .nv12: pairs(width, into: row, luma: line, step: 1, cb: chroma, cr: chroma + 1, chromaStep: 2)
        case .yuyv: pairs(width, into: row, luma: line, step: 2, cb: line + 1, cr: line + 3, chromaStep: 4)
        case .grey:
            for x in 0..<width {
                row[x * 3] = line[x]
                row[x * 3 + 1] = line[x]
                row[x * 3 + 2] = line[x]
            }
        case .rgb24: return line
        case .mjpeg: preconditionFailure("JPEG pictures have no rows before they are decoded")
        }
        return UnsafePointer(row)
    }

    @inline(__always)
    private func pairs(
        _ width: Int, into row: UnsafeMutablePointer<UInt8>, luma line: UnsafePointer<UInt8>, step: Int, cb: UnsafePointer<UInt8>,
        cr: UnsafePointer<UInt8>, chromaStep: Int
    ) {
        for x in 0..<width {
            let u = Int32(cb[(x >> 1) * chromaStep]) - 128
            let v = Int32(cr[(x >> 1) * chromaStep]) - 128
            let c = (Int32(line[x * step]) - lumaOffset) &* luma &+ (1 << 15)
            row[x * 3] = clip(c &+ redCr &* v)
            row[x * 3 + 1] = clip(c &+ greenCb &* u &+ greenCr &* v)
            row[x * 3 + 2] = clip(c &+ blueCb &* u)
        }
    }

    @inline(__always)
    private func clip(_ value: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: max(0, min(255, value >> 16)))
    }
}
