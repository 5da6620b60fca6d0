import Imaging
import ModelFormat

extension Legend {
    /// The class's name; "?" for a class that the legend lacks.
    public func name(of segment: Segment) -> String {
        entries.indices.contains(segment.category) ? entries[segment.category].names.first ?? "?" : "?"
    }

    /// The name that matched best; "?" for a class that the legend lacks.
    public func synonym(of segment: Segment) -> String {
        guard entries.indices.contains(segment.category) else { return "?" }
        let names = entries[segment.category].names
        return names.indices.contains(segment.synonym) ? names[segment.synonym] : name(of: segment)
    }

    public func colour(of segment: Segment) -> Colour {
        entries.indices.contains(segment.category) ? entries[segment.category].colour : Colour(0x808080)
    }
}
