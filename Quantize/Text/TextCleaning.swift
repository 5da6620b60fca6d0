import Foundation

/// The clean-up of a prompt before it is tokenized: broken characters are mended, HTML is unescaped, white space collapsed, letters lowered.
///
/// CLIP's tokenizer (open_clip 2.20) runs Python's `ftfy.fix_text`, `html.unescape` twice, `strip`, and `lower`. This is an independent
/// implementation of the same steps that gives the same result on text as people write it. What ftfy 6.3 does and this does not:
/// - mojibake other than UTF-8 read as Latin-1 or Windows-1252 (`TextCleaning+Mojibake.swift`), or mojibake in only a part of a line;
/// - HTML 5's two thousand further character names (HTML 4's 252 are known);
/// - lines of more than a million characters are not cut.
/// Letters, digits and case are those of the Unicode version that Swift's library knows.
enum TextCleaning {
    /// The cleaned text, lower case, without white space at the ends and with single spaces inside.
    static func clean(_ text: String) -> [Unicode.Scalar] {
        var scalars = repair(Array(text.unicodeScalars))
        scalars = unescapeReferences(unescapeReferences(scalars))
        return lowercase(collapseWhiteSpace(scalars))
    }

    // MARK: - Repair

    /// ftfy's `fix_text`: line by line, until nothing changes any more.
    static func repair(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result = [Unicode.Scalar]()
        // A line with a "<" may be HTML itself, so neither it nor what follows is unescaped here.
        var unescapes = true
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if !result.isEmpty || line.startIndex > 0 { result.append("\n") }
            if line.contains("<") { unescapes = false }
            result += repairLine(Array(line), unescapes: unescapes)
        }
        return result
    }

    private static func repairLine(_ line: [Unicode.Scalar], unescapes: Bool) -> [Unicode.Scalar] {
        var current = line
        while true {
            var next = unescapes ? unescapeEntities(current) : current
            next = repairEncoding(next)
            next = next.flatMap(standardForm)
            next = removeControls(removeTerminalEscapes(unifyLineBreaks(next)))
            next = Array(text(next).precomposedStringWithCanonicalMapping.unicodeScalars)
            if next == current { return current }
            current = next
        }
    }

    /// Latin ligatures and digraphs taken apart, fullwidth and halfwidth forms made standard, curly quotes straight.
    private static func standardForm(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        switch scalar.value {
        case ..<0x132: return [scalar]
        case 0x02BC, 0x2018...0x201B: return ["'"]
        case 0x201C...0x201F: return ["\""]
        case 0x3000: return [" "]
        // The compatibility form, except that the ligature of long s and t keeps its long s.
        case 0xFB05: return ["\u{17F}", "t"]
        case 0x132, 0x133, 0x149, 0x1C4...0x1CC, 0x1F1...0x1F3, 0xFB00...0xFB06, 0xFF01...0xFFEF:
            return Array(text([scalar]).precomposedStringWithCompatibilityMapping.unicodeScalars)
        default: return [scalar]
        }
    }

    private static func unifyLineBreaks(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result = [Unicode.Scalar]()
        for (index, scalar) in line.enumerated() {
            switch scalar {
            case "\r": result.append("\n")
            case "\n" where index > 0 && line[index - 1] == "\r": break
            case "\u{2028}", "\u{2029}", "\u{85}": result.append("\n")
            default: result.append(scalar)
            }
        }
        return result
    }

    /// Drops ANSI escape sequences: escape, "[", digits and semicolons, one letter.
    private static func removeTerminalEscapes(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
        guard line.contains("\u{1B}") else { return line }
        var result = [Unicode.Scalar]()
        var index = 0
        while index < line.count {
            if line[index] == "\u{1B}", index + 1 < line.count, line[index + 1] == "[" {
                let end = line[(index + 2)...].firstIndex { !(isDigit($0) || $0 == ";") }
                if let end, isASCIILetter(line[end]) {
                    index = end + 1
                    continue
                }
            }
            result.append(line[index])
            index += 1
        }
        return result
    }

    /// Drops control characters that produce neither white space nor joining.
    private static func removeControls(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
        line.filter {
            switch $0.value {
            case 0x00...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: false
            default: true
            }
        }
    }

    // MARK: - White space and case

    private static func collapseWhiteSpace(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        Array(text.split { $0.properties.isWhitespace }.joined(separator: [" "]))
    }

    /// Full case mapping with the final form of sigma (Unicode 3.13, table 3-17).
    private static func lowercase(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result = [Unicode.Scalar]()
        for (index, scalar) in text.enumerated() {
            if scalar == "\u{3A3}" {
                let before = text[..<index].last { !$0.properties.isCaseIgnorable }
                let after = text[(index + 1)...].first { !$0.properties.isCaseIgnorable }
                let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
                result.append(isFinal ? "\u{3C2}" : "\u{3C3}")
            } else {
                result += scalar.properties.lowercaseMapping.unicodeScalars
            }
        }
        return result
    }

    // MARK: - Helpers

    static func text(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    static func isASCIILetter(_ scalar: Unicode.Scalar) -> Bool { ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) }
}
