extension TextCleaning {
    /// Undoes UTF-8 that was read as Latin-1 or Windows-1252 ("cafÃ©"), again and again for text that went through it twice;
    /// C1 control characters that remain become what Windows-1252 shows in their place.
    static func repairEncoding(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var current = line
        while let decoded = decodeMojibake(current) { current = decoded }
        return current.map { 0x80...0x9F ~= $0.value ? windows1252[Int($0.value - 0x80)] : $0 }
    }

    /// The text meant by `line`, when the whole line reads as UTF-8 once its characters are bytes again, and convincingly so.
    ///
    /// A single pair such as "ß…" is legitimate text and a valid sequence at once. Convincing is a lead of U+00C2 or U+00C3 (which
    /// stands for all of Latin-1), of U+00C4 or U+00C5 with a letter after the pair, a sequence of three or four bytes, or two
    /// sequences side by side.
    private static func decodeMojibake(_ line: [Unicode.Scalar]) -> [Unicode.Scalar]? {
        guard line.contains(where: { $0.value >= 0x80 }) else { return nil }
        for encoding in [latin1, windows1252Byte] {
            let bytes = line.compactMap(encoding)
            guard bytes.count == line.count, let text = String(validating: bytes, as: UTF8.self) else { continue }
            let decoded = Array(text.unicodeScalars)
            let isConvincing = decoded.indices.contains { index in
                let next = index + 1 < decoded.count ? decoded[index + 1] : " "
                return switch decoded[index].value {
                case ..<0x80: false
                case ..<0x100: true
                case ..<0x180: isASCIILetter(next) || next.value >= 0x80
                case ..<0x800: next.value >= 0x80
                default: true
                }
            }
            return isConvincing ? decoded : nil
        }
        return nil
    }

    private static func latin1(_ scalar: Unicode.Scalar) -> UInt8? {
        UInt8(exactly: scalar.value)
    }

    /// Windows-1252 as browsers write it: its five unassigned bytes are the C1 controls of the same number.
    private static func windows1252Byte(_ scalar: Unicode.Scalar) -> UInt8? {
        if scalar.value < 0x80 || 0xA0...0xFF ~= scalar.value { return UInt8(scalar.value) }
        return windows1252.firstIndex(of: scalar).map { UInt8($0 + 0x80) }
    }

    /// What bytes 0x80...0x9F mean in Windows-1252.
    static let windows1252: [Unicode.Scalar] = Array(
        "\u{20AC}\u{81}\u{201A}\u{192}\u{201E}\u{2026}\u{2020}\u{2021}\u{2C6}\u{2030}\u{160}\u{2039}\u{152}\u{8D}\u{17D}\u{8F}\u{90}\u{2018}\u{2019}\u{201C}\u{201D}\u{2022}\u{2013}\u{2014}\u{2DC}\u{2122}\u{161}\u{203A}\u{153}\u{9D}\u{17E}\u{178}"
            .unicodeScalars)
}
