import ModelFormat
import System

/// Which class of the vocabulary each category of a data set is.
public struct ClassMatching {
    public enum Key: String, CaseIterable, Sendable {
        /// A category and a class that share a name, letters' case aside; a class's first name goes before its synonyms.
        case name
        /// A category's id is the class's external id.
        case id
    }

    /// A class that data set and vocabulary share.
    public struct Class: Equatable {
        public let name: String
        /// As in the data set, or as in the vocabulary where the data set does not state it.
        public let isThing: Bool
        public let isSeen: Bool
        /// Index in the vocabulary.
        public let vocabulary: Int
    }

    public let classes: [Class]
    /// Class of every category id that has one.
    public let ofCategory: [Int: Int]
    /// Class of every class of the vocabulary, by its index.
    public let ofVocabulary: [Int?]
    /// Names of categories that the vocabulary lacks: void in the truth.
    public let notInVocabulary: [String]
    /// Names of classes that the data set lacks: void in predictions.
    public let notInDataset: [String]
    /// Names of classes that are things for one and stuff for the other.
    public let contradictions: [String]

    /// - Throws: when nothing matches.
    public init(_ categories: [DatasetCategory], _ vocabulary: [Vocabulary.Category], names: [String], by key: Key) throws(Fault) {
        var candidates: [String: [Int]] = [:]
        switch key {
        case .name:
            for (index, category) in vocabulary.enumerated() { candidates[Self.plain(category.name), default: []].append(index) }
            for (index, category) in vocabulary.enumerated() {
                for name in names[category.firstName..<category.firstName + category.nameCount].dropFirst() {
                    candidates[Self.plain(name), default: []].append(index)
                }
            }
        case .id:
            for (index, category) in vocabulary.enumerated() { if let id = category.id { candidates[String(id), default: []].append(index) } }
        }
        var classes: [Class] = []
        var ofCategory: [Int: Int] = [:]
        var absent: [String] = []
        var contradictions: [String] = []
        var ofVocabulary = [Int?](repeating: nil, count: vocabulary.count)
        for category in categories {
            let wanted = key == .name ? Self.plain(category.name) : String(category.id)
            guard let index = candidates[wanted]?.first(where: { ofVocabulary[$0] == nil }) else {
                absent.append(category.name)
                continue
            }
            let found = vocabulary[index]
            if let isThing = category.isThing, isThing != found.isThing { contradictions.append(category.name) }
            ofVocabulary[index] = classes.count
            ofCategory[category.id] = classes.count
            classes.append(Class(name: category.name, isThing: category.isThing ?? found.isThing, isSeen: found.isSeen, vocabulary: index))
        }
        guard !classes.isEmpty else {
            throw Fault(
                "none of the data set's \(categories.count) categories is in the vocabulary by \(key.rawValue): the first is \"\(abbreviated(categories.first?.name ?? ""))\""
            )
        }
        self.classes = classes
        self.ofCategory = ofCategory
        self.ofVocabulary = ofVocabulary
        self.contradictions = contradictions
        notInVocabulary = absent
        notInDataset = vocabulary.indices.filter { ofVocabulary[$0] == nil }.map { vocabulary[$0].name }
    }

    private static func plain(_ name: String) -> String {
        let lower = name.lowercased()
        guard let first = lower.firstIndex(where: { !$0.isWhitespace }), let last = lower.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(lower[first...last])
    }
}
