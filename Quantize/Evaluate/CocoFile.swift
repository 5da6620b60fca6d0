import Board
import Foundation

/// What the JSON files of COCO panoptic and COCO instances share, and their annotations as `Annotation`.
struct CocoFile<Annotation: Decodable>: Decodable {
    struct Image: Decodable {
        let id: CocoID
        let fileName: String
        let width: Int?
        let height: Int?
    }

    struct Category: Decodable {
        let id: Int
        let name: String
        let isthing: Int?
    }

    let images: [Image]
    let annotations: [Annotation]
    let categories: [Category]

    /// - Throws: when the file cannot be read or is not of this form; the fault says where.
    static func read(_ path: String, form: String) throws(Fault) -> CocoFile {
        let file = try MappedFile(path: path)
        defer { withExtendedLifetime(file) {} }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let contents: CocoFile
        do {
            contents = try decoder.decode(CocoFile.self, from: Data(file.bytes))
        } catch {
            throw Fault("\(path): not \(form): \(reason(error))")
        }
        guard !contents.images.isEmpty else { throw Fault("\(path): lists no pictures") }
        guard !contents.categories.isEmpty else { throw Fault("\(path): lists no categories") }
        guard Set(contents.categories.map(\.id)).count == contents.categories.count else { throw Fault("\(path): two categories have one id") }
        guard Set(contents.images.map(\.id)).count == contents.images.count else { throw Fault("\(path): two pictures have one id") }
        return contents
    }

    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "unreadable" }
        func place(_ path: [any CodingKey]) -> String {
            path.reduce("") { text, key in
                if let index = key.intValue { return text + "[\(index)]" }
                return text + (text.isEmpty ? "" : ".") + abbreviated(key.stringValue)
            }
        }
        return switch error {
        case .keyNotFound(let key, let context): "\"\(key.stringValue)\" is missing" + (context.codingPath.isEmpty ? "" : " in \(place(context.codingPath))")
        case .valueNotFound(_, let context): "\(place(context.codingPath)) is null"
        case .typeMismatch(_, let context): "\(context.codingPath.isEmpty ? "the whole" : place(context.codingPath)) is of another type"
        case .dataCorrupted(let context): context.codingPath.isEmpty ? "damaged JSON" : "\(place(context.codingPath)) cannot be read"
        @unknown default: "unreadable"
        }
    }

    var datasetCategories: [DatasetCategory] {
        categories.map { DatasetCategory(id: $0.id, name: $0.name, isThing: $0.isthing.map { $0 != 0 }) }
    }
}

/// A picture's id: a number in COCO, text in data sets that were brought into its form.
enum CocoID: Hashable, Decodable, CustomStringConvertible {
    case number(Int)
    case text(String)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) { self = .number(number) } else { self = .text(try container.decode(String.self)) }
    }

    var description: String {
        switch self {
        case .number(let number): String(number)
        case .text(let text): abbreviated(text)
        }
    }
}
