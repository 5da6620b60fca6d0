import Network
import Runtime

/// Names and colours of the classes, as the sinks show them.
public struct Legend: Sendable {
    public struct Entry: Sendable {
        /// All names of the class, the first being the class's own.
        public let names: [String]
        public let colour: Colour

        public init(names: [String], colour: Colour) {
            self.names = names
            self.colour = colour
        }
    }

    /// By class index.
    public let entries: [Entry]

    public init(_ entries: [Entry]) {
        self.entries = entries
    }

    public init(_ vocabulary: Vocabulary) {
        entries = vocabulary.categories.map { category in
            Entry(names: Array(vocabulary.names[category.firstName..<category.firstName + category.nameCount]), colour: category.colour)
        }
    }

    /// The class's name; "?" for a class that the legend lacks.
    public func name(of segment: Segment) -> String {
        entries.indices.contains(segment.category) ? entries[segment.category].names.first ?? "?" : "?"
    }

    /// The name that matched.
    public func synonym(of segment: Segment) -> String {
        guard entries.indices.contains(segment.category) else { return "?" }
        let names = entries[segment.category].names
        return names.indices.contains(segment.synonym) ? names[segment.synonym] : name(of: segment)
    }

    public func colour(of segment: Segment) -> Colour {
        entries.indices.contains(segment.category) ? entries[segment.category].colour : Colour(0x808080)
    }
}
