import Imaging

/// Names and colours of the classes, as the sinks show them.
public struct Legend: Sendable {
    public struct Entry: Sendable {
        /// All names of the class; the first is the one shown.
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
}
