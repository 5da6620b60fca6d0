/// A typeface of straight strokes with round ends, for printable ASCII. Strokes scale to any size and are drawn
/// antialiased, where a bitmap font would show its pixels.
enum StrokeFont {
    /// In units of the design grid: capitals are 9 high, small letters 6, descenders reach 3 below the baseline.
    static let capitalHeight: Float = 9
    static let descent: Float = 3
    /// Thickness of the strokes, and what is left free between letters and for a space.
    static let thickness: Float = 1.25
    static let spacing: Float = 2.4
    static let space: Float = 1.6

    struct Stroke {
        let x0, y0, x1, y1: Float
    }

    /// Strokes of `character` (y up from the baseline) and its width. What is no printable ASCII becomes "?".
    static func glyph(_ character: UInt8) -> (strokes: [Stroke], width: Float) {
        guard character != 0x20 else { return ([], space) }
        let known = character > 0x20 && character < 0x7F ? character : 0x3F
        var strokes: [Stroke] = []
        var width: Float = 0
        var last: (x: Float, y: Float)?
        var pending: Float?
        let drawing: StaticString = drawings[Int(known) - 0x21]
        for index in 0..<drawing.utf8CodeUnitCount {
            let code = drawing.utf8Start[index]
            guard code != 0x20 else {
                last = nil
                continue
            }
            guard let x = pending else {
                pending = Float(code) - 0x30
                continue
            }
            let point = (x: x, y: Float(code) - 0x64)
            if let last { strokes.append(Stroke(x0: last.x, y0: last.y, x1: point.x, y1: point.y)) }
            width = max(width, x)
            last = point
            pending = nil
        }
        return (strokes, width)
    }

    /// Width of a text in grid units, without the gap after its last letter.
    static func width(_ text: [UInt8]) -> Float {
        var width: Float = 0
        for character in text { width += glyph(character).width + spacing }
        return max(width - spacing, 0)
    }

    /// The text of a string, one byte a character: all that is not printable ASCII is "?".
    static func characters(_ text: String) -> [UInt8] {
        text.unicodeScalars.map { $0.value >= 0x20 && $0.value < 0x7F ? UInt8($0.value) : 0x3F }
    }

    /// "!" to "~": polylines separated by spaces; a point is a digit for x and a letter for y, d being the baseline.
    private static let drawings: [StaticString] = [
        "0m0g 0d0d", "0m0k 2m2k", "2m1d 5m4d 0j6j 0g6g", "5l4m1m0l0j1i4h5g5e4d1d0e 2n2c", "6m0d 1m2l2k1j0k0l1m 5g6f6e5d4e4f5g",
        "6d1j1l2m3m4l4k0g0e1d3d6g", "0m0k", "2n1l0j0g1e2c", "0n1l2j2g1e0c", "2l2h 0k4i 4k0i", "2j2f 0h4h", "1e0b", "0h3h", "0d0d", "4m0d",
        "2m3m5k5f3d2d0f0k2m", "0k2m2d 0d4d", "0k0l1m4m5l5j0d5d", "0l1m4m5l5j4i2i 4i5h5e4d1d0e", "4d4m0g5g", "5m1m0i3i5h5f3d1d0e",
        "5l4m2m0k0f2d3d5f5g3i2i0g", "0m5m2d", "2i0j0l1m4m5l5j3i2i0h0e1d4d5e5h3i", "0e1d3d5f5k3m2m0k0j2h3h5j", "0i0i 0d0d", "1i1i 1e0b",
        "4k0h4e", "0i4i 0g4g", "0k4h0e", "0k1m3m4l4j2h2g 2d2d", "5f4f3g3i4j5j6i6g7f8g8j6m3m0j0f2d6d", "0d3m6d 1g5g", "0d0m3m5l5j3i0i 3i5h5e3d0d",
        "6k4m2m0k0f2d4d6f", "0d0m3m6k6f3d0d", "5m0m0d5d 0i4i", "5m0m0d 0i4i", "6k4m2m0k0f2d4d6f6h4h", "0m0d 6m6d 0i6i", "0m0d", "4m4f3d1d0e",
        "0m0d 5m0g 2i5d", "0m0d5d", "0d0m3g6m6d", "0d0m6d6m", "2m4m6k6f4d2d0f0k2m", "0d0m4m5l5i4h0h", "2m4m6k6f4d2d0f0k2m 4f6d",
        "0d0m4m5l5i4h0h 2h5d", "5l4m1m0l0j1i4h5g5e4d1d0e", "0m6m 3m3d", "0m0f2d4d6f6m", "0m3d6m", "0m2d4k6d8m", "0m6d 6m0d", "0m3h6m 3h3d",
        "0m6m0d6d", "2n0n0c2c", "0m4d", "0n2n2c0c", "0j2m4j", "0c5c", "0m1k", "5j5d 5h3j2j0h0f2d3d5f", "0m0d 0h2j3j5h5f3d2d0f", "5i3j2j0h0f2d3d5e",
        "5m5d 5h3j2j0h0f2d3d5f", "0g5g5h3j2j0h0f2d3d5e", "3m2m1l1d 0j3j", "5j5c3a1a0b 5h3j2j0h0f2d3d5f", "0m0d 0h2j4j5i5d", "0j0d 0m0m", "1j1b0a 1m1m",
        "0m0d 4j0f 1g4d", "0m0d", "0j0d 0h1j3j4i4d 4h5j7j8i8d", "0j0d 0h2j4j5i5d", "2j3j5h5f3d2d0f0h2j", "0j0a 0h2j3j5h5f3d2d0f", "5j5a 5h3j2j0h0f2d3d5f",
        "0j0d 0h1j3j", "4i3j1j0i0h4f4e3d1d0e", "1l1e2d3d 0j3j", "0j0e1d3d5f 5j5d", "0j2d4j", "0j2d4i6d8j", "0j4d 4j0d", "0j2d 4j1a0a", "0j4j0d4d",
        "3n2n1m1i0h1g1d2c3c", "0n0b", "0n1n2m2i3h2g2d1c0c", "0h1i2i3g4g5h",
    ]
}
