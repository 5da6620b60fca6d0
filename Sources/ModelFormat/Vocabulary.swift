import Imaging
import Kernels
import System

/// What to look for: classes, their names, and one text embedding a name, from a vocabulary file.
///
/// The file is GGUF, written by `quantize vocab`; all of it is read at once.
public final class Vocabulary {
    /// One class. Its names are `names[firstName ..< firstName + nameCount]`, and so are the rows of its embeddings.
    public struct Category {
        /// The first of its names.
        public let name: String
        public let firstName: Int
        /// At least 1.
        public let nameCount: Int
        /// Things are told apart one by one; stuff (sky, grass) is one segment.
        public let isThing: Bool
        /// Whether the class shares a name with those the network was trained on (section 3.4 of the FC-CLIP paper: seen and unseen are
        /// weighted differently).
        public let isSeen: Bool
        public let colour: Colour
        /// The class's number in its data set, if it has one.
        public let id: Int?
    }

    public static let architecture = "fcclip-vocabulary"
    public static let version = 1
    public static let embeddingsName = "vocabulary.embeddings"
    /// Key of the fingerprint of the CLIP model, in models and vocabularies alike; they go together when it is equal.
    public static let fingerprintKey = "fcclip.clip.fingerprint"

    public let path: String
    /// At least one.
    public let categories: [Category]
    /// Every name, class after class.
    public let names: [String]
    /// Width of CLIP's joint embedding.
    public var embeddingWidth: Int { embeddings.columns }
    /// `names.count` x `embeddingWidth`, rows of length 1.
    public let embeddings: NameEmbeddings
    /// Which CLIP model the embeddings come from, 16 hexadecimal digits.
    public let clipFingerprint: String
    /// Which vocabulary this is, see `GGUF.identity()`.
    public let identity: String

    /// - Throws: when `path` cannot be read, is no vocabulary, is damaged, or contradicts itself.
    public init(path: String) throws(Fault) {
        let file = try GGUF(path: path)
        let architecture = try file.string("general.architecture")
        guard architecture == Vocabulary.architecture else {
            throw Fault("\(path): not a vocabulary but a file of architecture \"\(abbreviated(architecture))\"; make a vocabulary with quantize vocab")
        }
        let version = try file.integer("fcclip.vocabulary.version")
        guard version == Vocabulary.version else {
            throw Fault("\(path): vocabulary of version \(version), this program reads version \(Vocabulary.version); make it anew with quantize vocab")
        }
        try file.requireChecksums()
        self.path = path
        names = try file.strings("fcclip.vocabulary.names")
        categories = try Vocabulary.categories(file, names)
        clipFingerprint = try file.string(Vocabulary.fingerprintKey)
        identity = try file.identity()
        embeddings = try Vocabulary.embeddings(file, rows: names.count)
    }

    // MARK: - Checks

    private static func categories(_ file: GGUF, _ names: [String]) throws(Fault) -> [Category] {
        let nameCounts = try file.integers("fcclip.vocabulary.category.name_count")
        let things = try file.bools("fcclip.vocabulary.category.thing")
        let seen = try file.bools("fcclip.vocabulary.category.seen")
        let colours = try file.integers("fcclip.vocabulary.category.colour")
        let ids = try file.integers("fcclip.vocabulary.category.id")
        let count = nameCounts.count
        guard count > 0, things.count == count, seen.count == count, colours.count == count, ids.count == count else {
            throw Fault("\(file.path): the lists of its classes are empty or differ in length")
        }
        // Label maps number classes in 16 bits.
        guard count < Int(UInt16.max) else { throw Fault("\(file.path): \(count) classes, more than \(UInt16.max - 1)") }
        var categories: [Category] = []
        categories.reserveCapacity(count)
        var firstName = 0
        for index in 0..<count {
            guard nameCounts[index] >= 1, nameCounts[index] <= names.count - firstName else {
                throw Fault("\(file.path): class \(index) has \(nameCounts[index]) names, \(names.count - firstName) are left")
            }
            guard let colour = UInt32(exactly: colours[index]), colour <= 0xFFFFFF else {
                throw Fault("\(file.path): class \(index) has an impossible colour")
            }
            categories.append(
                Category(
                    name: names[firstName], firstName: firstName, nameCount: nameCounts[index], isThing: things[index], isSeen: seen[index],
                    colour: Colour(colour), id: ids[index] < 0 ? nil : ids[index]))
            firstName += nameCounts[index]
        }
        guard firstName == names.count else { throw Fault("\(file.path): \(names.count - firstName) names belong to no class") }
        return categories
    }

    private static func embeddings(_ file: GGUF, rows: Int) throws(Fault) -> NameEmbeddings {
        let tensor = try file.tensor(embeddingsName)
        guard tensor.kind == .float32, tensor.shape.count == 2, tensor.shape[0] == rows else {
            throw Fault("\(file.path): its embeddings are not \(rows) rows of f32")
        }
        if tensor.byteCount > 16 << 20 { try requireMemory(tensor.byteCount, for: "\(file.path): its embeddings need") }
        let embeddings = NameEmbeddings(rows: rows, columns: tensor.shape[1])
        try embeddings.withValues { (matrix) throws(Fault) in
            try file.read(tensor, into: UnsafeMutableRawBufferPointer(start: matrix.base, count: tensor.byteCount))
            for row in 0..<rows {
                var square: Float = 0
                for column in 0..<matrix.columns { square += matrix[row, column] * matrix[row, column] }
                // Also false for what is no number.
                guard square > 0.998, square < 1.002 else { throw Fault("\(file.path): the embedding of name \(row) is not of length 1") }
            }
        }
        return embeddings
    }
}
