import Board
import Foundation
import Runtime

/// Classes by name, as a person writes them down: the input of a vocabulary.
///
/// One class a line: `[id:]name,synonym,...[TAB thing|stuff][TAB #rrggbb]`. Blank lines and lines that begin with `#` are skipped.
/// FC-CLIP's own files (`id:name,name,...`) are of this form. In them the name `invalid_class_id` marks an id that is not used, and such
/// lines are skipped. Id 0 is a class like any other: FC-CLIP's loaders pass over it in COCO's and ADE20K's files, where it is called
/// `invalid_class_id` anyway, and use it in Cityscapes' and Pascal VOC's.
public struct NameList: Sendable {
    public struct Category: Equatable, Sendable {
        /// The class's name, then its synonyms; never empty.
        public var names: [String]
        /// The class's number in its data set, if given: 0...2^31-1.
        public var id: Int?
        /// Whether its instances are told apart; so unless the list says `stuff`.
        public var isThing: Bool
        /// Nil where the palette chooses.
        public var colour: Colour?
    }

    /// In the order of the file; at least one.
    public let categories: [Category]

    /// Every name in order, synonyms included.
    public var names: [String] { categories.flatMap(\.names) }

    /// - Throws: when the file cannot be read, is not UTF-8, names no class, or has a line that is not of the form above; the line is named.
    public init(path: String) throws(Fault) {
        let file = try MappedFile(path: path)
        try self.init(withExtendedLifetime(file) { Array(file.bytes) }, path: path)
    }

    /// The classes of a file, if any, then those typed, one a word, in the form of a file's lines.
    public init(path: String?, typed: [String]) throws(Fault) {
        let written = if let path { try Self(path: path).categories } else { [Category]() }
        let added = if typed.isEmpty { [Category]() } else { try Self(Array(typed.joined(separator: "\n").utf8), path: "the names given").categories }
        categories = written + added
    }

    /// - Parameter path: names the source in errors.
    init(_ content: [UInt8], path: String) throws(Fault) {
        guard let text = String(validating: content, as: UTF8.self) else { throw Fault("\(path): not UTF-8 text") }
        var categories = [Category]()
        var lineOfID = [Int: Int]()
        let scalars = text.unicodeScalars.drop { $0 == "\u{FEFF}" }
        for (index, line) in scalars.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let number = index + 1
            let line = String(line).trimmingCharacters(in: .whitespaces.union(.newlines))
            if line.isEmpty || line.hasPrefix("#") { continue }
            let category: Category
            do throws(Fault) { category = try Self.category(line) } catch { throw Fault("\(path):\(number): \(error.message)") }
            if category.names == ["invalid_class_id"] { continue }
            if let id = category.id {
                if let earlier = lineOfID[id] { throw Fault("\(path):\(number): id \(id) was given in line \(earlier) already") }
                lineOfID[id] = number
            }
            categories.append(category)
        }
        guard !categories.isEmpty else { throw Fault("\(path): names no class; write one a line: name,synonym,...") }
        self.categories = categories
    }

    private static func category(_ line: String) throws(Fault) -> Category {
        var fields = line.components(separatedBy: "\t").map { $0.trimmingCharacters(in: .whitespaces) }
        var list = fields.removeFirst()
        var id: Int?
        if let colon = list.firstIndex(of: ":"), colon > list.startIndex, list[..<colon].utf8.allSatisfy({ 0x30...0x39 ~= $0 }) {
            guard let number = Int32(list[..<colon]) else { throw Fault("id \(list[..<colon]) is too large") }
            id = Int(number)
            list = String(list[list.index(after: colon)...])
        }
        let names = list.components(separatedBy: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        guard !names.contains("") else { throw Fault("a name is empty") }
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
        let a = chroma * cos(hue), b = chroma * sin(hue)
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
