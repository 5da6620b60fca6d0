import Imaging
import Kernels
import System

/// What to look for: classes, their names, and one text embedding for each name.
///
/// Made from a vocabulary file (GGUF, written by `quantize vocab`), which is read whole, or from names and embeddings in memory.
public final class Vocabulary {
    /// One class. Its names are `names[firstName ..< firstName + nameCount]`, and so are the rows of its embeddings.
    public struct Category {
        /// The first of its names.
        public let name: String
        public let firstName: Int
        /// At least 1.
        public let nameCount: Int
        /// Each instance of a thing is a segment; stuff (sky, grass) is one segment.
        public let isThing: Bool
        /// Whether one of the names was in the training set: the ensemble weights seen and unseen classes differently (FC-CLIP, section 3.4).
        public let isSeen: Bool
        public let colour: Colour
        /// The class's number in its data set, if it has one.
        public let id: Int?
    }

    /// What a vocabulary in memory is made of: one class.
    public struct Definition {
        /// The class's name, then its synonyms; at least one.
        public var names: [String]
        public var isThing: Bool
        public var isSeen: Bool
        public var colour: Colour
        public var id: Int?

        public init(names: [String], isThing: Bool = true, isSeen: Bool = false, colour: Colour, id: Int? = nil) {
            self.names = names
            self.isThing = isThing
            self.isSeen = isSeen
            self.colour = colour
            self.id = id
        }
    }

    public static let architecture = "fcclip-vocabulary"
    public static let version = 1
    public static let embeddingsName = "vocabulary.embeddings"
    /// Key of the fingerprint of the CLIP model, in models and vocabularies alike; they go together when it is equal.
    public static let fingerprintKey = "fcclip.clip.fingerprint"

    /// The file; for a vocabulary made in memory, what messages call it.
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
    /// Which vocabulary this is, see `GGUF.identity()`; empty for one made in memory that was given none.
    public let identity: String

    /// A vocabulary in memory.
    ///
    /// - Parameters:
    ///   - path: what messages call it.
    ///   - embeddings: a row of length 1 for each name, in the order of the classes and their names.
    ///   - clipFingerprint: of the CLIP that made the embeddings, as the model's file has it.
    /// - Throws: when there is no class, too many, or one without a name, or when the embeddings are not such rows.
    public init(
        _ classes: [Definition], embeddings: NameEmbeddings, clipFingerprint: String, path: String = "the vocabulary", identity: String = ""
    ) throws(Fault) {
        guard !classes.isEmpty else { throw Fault("\(path): has no classes") }
        // Label maps number classes in 16 bits.
        guard classes.count < Int(UInt16.max) else { throw Fault("\(path): \(classes.count) classes, more than \(UInt16.max - 1)") }
        var categories: [Category] = []
        categories.reserveCapacity(classes.count)
        var names: [String] = []
        for (index, definition) in classes.enumerated() {
            guard !definition.names.isEmpty else { throw Fault("\(path): class \(index) has no name") }
            categories.append(
                Category(
                    name: definition.names[0], firstName: names.count, nameCount: definition.names.count, isThing: definition.isThing,
                    isSeen: definition.isSeen, colour: definition.colour, id: definition.id))
            names += definition.names
        }
        guard embeddings.rows == names.count else { throw Fault("\(path): \(embeddings.rows) embeddings for \(names.count) names") }
        try Vocabulary.check(embeddings, path: path)
        self.path = path
        self.categories = categories
        self.names = names
        self.embeddings = embeddings
        self.clipFingerprint = clipFingerprint
        self.identity = identity
    }

    private static func check(_ embeddings: NameEmbeddings, path: String) throws(Fault) {
        try embeddings.withValues { (matrix) throws(Fault) in
            for row in 0..<matrix.rows {
                var square: Float = 0
                for column in 0..<matrix.columns { square += matrix[row, column] * matrix[row, column] }
                // Also false for what is no number.
                guard square > 0.998, square < 1.002 else { throw Fault("\(path): the embedding of name \(row) is not of length 1") }
            }
        }
    }

    // MARK: - Files

    /// - Throws: when `path` cannot be read, is no vocabulary, is damaged, or contradicts itself.
    public convenience init(path: String) throws(Fault) {
        let file = try GGUF(path: path)
        let architecture = try file.string("general.architecture")
        guard architecture == Vocabulary.architecture else {
            throw Fault("\(path): not a vocabulary but a file of architecture \"\(abbreviated(architecture))\"; make a vocabulary with quantize vocab")
        }
        let version = try file.integer("fcclip.vocabulary.version")
        guard version == Vocabulary.version else {
            throw Fault("\(path): vocabulary of version \(version), this program reads version \(Vocabulary.version); make it again with quantize vocab")
        }
        try file.requireChecksums()
        let names = try file.strings("fcclip.vocabulary.names")
        try self.init(
            try Vocabulary.classes(file, names), embeddings: try Vocabulary.embeddings(file, rows: names.count),
            clipFingerprint: try file.string(Vocabulary.fingerprintKey), path: path, identity: try file.identity())
    }

    private static func classes(_ file: GGUF, _ names: [String]) throws(Fault) -> [Definition] {
        let nameCounts = try file.integers("fcclip.vocabulary.category.name_count")
        let things = try file.bools("fcclip.vocabulary.category.thing")
        let seen = try file.bools("fcclip.vocabulary.category.seen")
        let colours = try file.integers("fcclip.vocabulary.category.colour")
        let ids = try file.integers("fcclip.vocabulary.category.id")
        let count = nameCounts.count
        guard count > 0, things.count == count, seen.count == count, colours.count == count, ids.count == count else {
            throw Fault("\(file.path): the lists of its classes are empty or differ in length")
        }
        var classes: [Definition] = []
        classes.reserveCapacity(count)
        var firstName = 0
        for index in 0..<count {
            guard nameCounts[index] >= 1, nameCounts[index] <= names.count - firstName else {
                throw Fault("\(file.path): class \(index) has \(nameCounts[index]) names, \(names.count - firstName) are left")
            }
            guard let colour = UInt32(exactly: colours[index]), colour <= 0xFFFFFF else {
                throw Fault("\(file.path): class \(index) has an impossible colour")
            }
            let own = firstName..<firstName + nameCounts[index]
            classes.append(
                Definition(
                    names: Array(names[own]), isThing: things[index], isSeen: seen[index], colour: Colour(colour), id: ids[index] < 0 ? nil : ids[index]))
            firstName = own.upperBound
        }
        guard firstName == names.count else { throw Fault("\(file.path): \(names.count - firstName) names belong to no class") }
        return classes
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
        }
        return embeddings
    }
}
