import CSystem
import Foundation
import Imaging
import System

/// A list of classes and their names, as users write it: the input of a vocabulary.
///
/// One class a line: `[id:]name,synonym,...[TAB thing|stuff][TAB #rrggbb]`. Blank lines and lines that begin with `#` are skipped.
/// FC-CLIP's files (`id:name,name,...`) are of this form. In them the name `invalid_class_id` marks an id that is not used, and such
/// lines are skipped. Id 0 is a class like any other: FC-CLIP's loaders pass over it in COCO's and ADE20K's files, where it is called
/// `invalid_class_id` anyway, and use it in Cityscapes' and Pascal VOC's.
public struct NameList: Sendable {
    public struct Category: Equatable, Sendable {
        /// The class's name, then its synonyms; never empty.
        public var names: [String]
        /// The class's number in its data set, if given: 0...2^31-1.
        public var id: Int?
        /// Whether each instance is a segment; false only where the list has `stuff`.
        public var isThing: Bool
        /// Nil where the palette chooses.
        public var colour: Colour?
    }

    /// In the order of the file; at least one.
    public let categories: [Category]
    /// Probable mistakes, a line each; they are read as written.
    public let warnings: [String]

    /// Every name in order, synonyms included.
    public var names: [String] { categories.flatMap(\.names) }

    /// Classes that a vocabulary holds at most: label maps number them in 16 bits.
    public static let mostCategories = Int(UInt16.max) - 1
    /// Characters of the longest name that makes sense; CLIP reads far fewer.
    public static let longestName = 1000

    /// - Throws: when the file cannot be read, is no text, names no class, or has a line that is not of the form above; the line is named.
    public init(path: String) throws(Fault) {
        try self.init(try contents(of: path, limit: 64 << 20), path: path)
    }

    /// The classes of a file, if any, then those typed, one a word, in the form of a file's lines.
    public init(path: String?, typed: [String]) throws(Fault) {
        var lines: [Line] = []
        if let path { lines += Self.lines(try Self.text(try contents(of: path, limit: 64 << 20), path: path), source: path) }
        for (index, word) in typed.enumerated() { lines.append(Line(text: word, source: "the names given", number: index + 1)) }
        try self.init(lines, source: path ?? "the names given")
    }

    /// - Parameter path: names the source in errors.
    init(_ content: [UInt8], path: String) throws(Fault) {
        try self.init(Self.lines(try Self.text(content, path: path), source: path), source: path)
    }

    private init(_ lines: [Line], source: String) throws(Fault) {
        var categories: [Category] = []
        var warnings: [String] = []
        var placeOfID: [Int: String] = [:]
        var placeOfName: [String: (place: String, category: Int)] = [:]
        for line in lines {
            let text = line.text.trimmingCharacters(in: .whitespacesAndNewlines)
            if text.isEmpty || text.hasPrefix("#") { continue }
            let category: Category
            do throws(Fault) { category = try Self.category(text, &warnings, line.place) } catch { throw Fault("\(line.place): \(error.message)") }
            if category.names == ["invalid_class_id"] { continue }
            if let id = category.id {
                if let earlier = placeOfID[id] { throw Fault("\(line.place): id \(id) was given in \(earlier) already") }
                placeOfID[id] = line.shortPlace
            }
            // CLIP's tokenizer knows small letters only.
            for name in category.names {
                if let earlier = placeOfName[name.lowercased()], earlier.category != categories.count {
                    warnings.append(
                        "\(line.place): \"\(name)\" names a class in \(earlier.place) already; what is found by this name counts for one of them only")
                } else {
                    placeOfName[name.lowercased()] = (line.shortPlace, categories.count)
                }
            }
            categories.append(category)
        }
        guard !categories.isEmpty else { throw Fault("\(source): names no class; write one a line: name,synonym,...") }
        guard categories.count <= Self.mostCategories else {
            throw Fault("\(source): \(categories.count) classes; at most \(Self.mostCategories) are possible")
        }
        self.categories = categories
        self.warnings = warnings
    }

    // MARK: - Lines

    private struct Line {
        let text: String
        let source: String
        let number: Int

        var place: String { "\(source):\(number)" }
        var shortPlace: String { "line \(number)" }
    }

    /// UTF-8, or UTF-16 with a byte-order mark. Marks are left out wherever files were put together.
    private static func text(_ content: [UInt8], path: String) throws(Fault) -> String {
        let isWide = content.starts(with: [0xFF, 0xFE]) || content.starts(with: [0xFE, 0xFF])
        guard !isWide || content.count.isMultiple(of: 2) else { throw Fault("\(path): UTF-16 text of \(content.count) bytes, an odd number; it was cut off") }
        guard let text = isWide ? String(data: Data(content), encoding: .utf16) : String(validating: content, as: UTF8.self) else {
            throw Fault("\(path): not UTF-8 text")
        }
        guard !text.utf8.contains(0) else { throw Fault("\(path): not UTF-8 text but UTF-16 without a byte-order mark, or no text at all; save it as UTF-8") }
        return String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != "\u{FEFF}" }))
    }

    /// Ended by LF, CR LF, CR, or Unicode's own.
    private static func lines(_ text: String, source: String) -> [Line] {
        // A CR LF is one character.
        text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().map { Line(text: String($1), source: source, number: $0 + 1) }
    }

    private static func category(_ line: String, _ warnings: inout [String], _ place: String) throws(Fault) -> Category {
        var fields = line.components(separatedBy: "\t").map { $0.trimmingCharacters(in: .whitespaces) }
        var list = fields.removeFirst()
        var id: Int?
        if let colon = list.firstIndex(of: ":"), colon > list.startIndex, list[..<colon].utf8.allSatisfy({ 0x30...0x39 ~= $0 }) {
            guard let number = Int32(list[..<colon]) else { throw Fault("id \(list[..<colon]) is too large") }
            id = Int(number)
            list = String(list[list.index(after: colon)...])
        }
        if let field = try missingTab(list) { warnings.append("\(place): \"\(list)\" is taken for a name; for \(field), put a tab before it") }
        var names: [String] = []
        for name in list.components(separatedBy: ",") { names.append(try Self.name(name)) }
        var category = Category(names: names, id: id, isThing: true, colour: nil)
        for field in fields {
            switch field {
            case "": break
            case "thing": category.isThing = true
            case "stuff": category.isThing = false
            default:
                guard let colour = Colour(hexadecimal: field) else { throw Fault("\"\(field)\" is neither thing, stuff nor a colour #rrggbb") }
                category.colour = colour
            }
        }
        return category
    }

    /// Looks whether what follows a tab stands at the end of the names instead. - Returns: which, where it may be a part of a name all the same.
    /// - Throws: when it cannot be one.
    private static func missingTab(_ names: String) throws(Fault) -> String? {
        if names.contains("\\t") || names.contains("<TAB>") { throw Fault("a tab is spelled out; type the character itself") }
        guard let match = names.firstMatch(of: /(\s+)(thing|stuff|#[0-9A-Fa-f]{6})$/) else { return nil }
        let field = String(match.2)
        guard match.1.count == 1, !field.hasPrefix("#") else { throw Fault("blanks before \"\(field)\" where a tab is expected") }
        return field
    }

    /// A name as tokenizers and people read it: composed letters (NFC), one blank between words.
    private static func name(_ text: String) throws(Fault) -> String {
        let name = text.precomposedStringWithCanonicalMapping.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        guard !name.isEmpty else { throw Fault("a name is empty") }
        guard name.count <= longestName else { throw Fault("a name of \(name.count) characters; at most \(longestName) are read") }
        for scalar in name.unicodeScalars {
            switch scalar.properties.generalCategory {
            // Joiners belong to some scripts' words, and to pictographs.
            case .format
            where (scalar == "\u{200C}" || scalar == "\u{200D}") && name.unicodeScalars.contains { $0.value > 0xFF && $0.properties.generalCategory != .format }:
                break
            case .control, .format, .privateUse, .surrogate, .unassigned:
                throw Fault("\"\(name)\" holds an invisible character (U+\(String(scalar.value, radix: 16, uppercase: true).leftPadded(4))); take it out")
            default: break
            }
        }
        return name
    }

    /// A colour for each class: its own, or one of the palette.
    public var colours: [Colour] {
        categories.enumerated().map { $1.colour ?? Colour.palette($0) }
    }

    // MARK: - Training names

    /// The 133 classes and 254 names of COCO panoptic that FC-CLIP was trained with.
    public static let cocoPanoptic: NameList = {
        do throws(Fault) { return try NameList(PackageResources.coco_panoptic_txt, path: "coco-panoptic.txt") } catch { fatalError(error.message) }
    }()

    /// For each class whether it was seen in training: whether it shares at least one name, letter by letter, with `training`.
    public func seen(in training: NameList) -> [Bool] {
        let known = Set(training.names)
        return categories.map { $0.names.contains(where: known.contains) }
    }
}

extension Colour {
    /// `#rrggbb`; nil for anything else.
    init?(hexadecimal text: String) {
        guard text.utf8.count == 7, text.hasPrefix("#"), text.utf8.dropFirst().allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt32(text.dropFirst(), radix: 16)
        else { return nil }
        self.init(value)
    }

    /// Colour number `index` of an endless palette: neighbours are far apart in hue (the golden angle), and lightness alternates among five
    /// steps that stand out from photographs. Constant chroma and lightness in OKLCH (Ottosson 2020), so none looks faint beside another.
    static func palette(_ index: Int) -> Colour {
        let hue = Double(index) * 2.399963229728653 + 0.5
        let lightness = [0.72, 0.58, 0.84, 0.65, 0.78][index % 5]
        let chroma = 0.15
        let a = chroma * cos(hue)
        let b = chroma * sin(hue)
        let l = pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3)
        let m = pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3)
        let s = pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3)
        func encode(_ linear: Double) -> UInt8 {
            let value = min(max(linear, 0), 1)
            let gamma = value <= 0.0031308 ? 12.92 * value : 1.055 * pow(value, 1 / 2.4) - 0.055
            return UInt8((gamma * 255).rounded())
        }
        return Colour(
            red: encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
            green: encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
            blue: encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s))
    }
}

extension String {
    /// With zeros before it, up to `count` characters.
    fileprivate func leftPadded(_ count: Int) -> String {
        String(repeating: "0", count: max(count - self.count, 0)) + self
    }
}
