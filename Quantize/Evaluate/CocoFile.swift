import Foundation
import Kernels
import System

/// The common part of COCO panoptic and COCO instance files, and their annotations as `Annotation`.
struct CocoFile<Annotation: Decodable>: Decodable {
    struct Image: Decodable {
        let id: CocoID
        let fileName: String
        let width: Int?
        let height: Int?

        enum CodingKeys: String, CodingKey {
            case id
            case fileName = "file_name"
            case width, height
        }

        /// Where the file states it.
        var size: Size? {
            if let width, let height { Size(height: height, width: width) } else { nil }
        }
    }

    struct Category: Decodable {
        let id: Int
        let name: String
        let isthing: CocoFlag?
    }

    let images: [Image]
    let annotations: [Annotation]
    let categories: [Category]

    /// - Throws: when the file cannot be read or is not of this form; the message states where.
    static func read(_ path: String, form: String) throws(Fault) -> CocoFile {
        let data = Data(try System.contents(of: path, limit: 1 << 32))
        let contents: CocoFile
        do {
            contents = try decode(data)
        } catch {
            throw Fault("\(path): not \(form): \(reason(error))")
        }
        guard !contents.images.isEmpty else { throw Fault("\(path): lists no pictures") }
        guard !contents.categories.isEmpty else { throw Fault("\(path): lists no categories") }
        guard Set(contents.categories.map(\.id)).count == contents.categories.count else { throw Fault("\(path): two categories have one id") }
        guard Set(contents.images.map(\.id)).count == contents.images.count else { throw Fault("\(path): two pictures have one id") }
        return contents
    }

    private static func decode(_ data: Data) throws -> CocoFile {
        do {
            return try JSONDecoder().decode(CocoFile.self, from: data)
        } catch DecodingError.dataCorrupted(let context) where context.codingPath.isEmpty {
            // Python's json module writes NaN and Infinity, which JSON lacks and JSON5 has.
            let lenient = JSONDecoder()
            lenient.allowsJSON5 = true
            // Foundation's JSON5 scanner traps on a key that is not UTF-8.
            guard String(validating: data, as: UTF8.self) != nil, let contents = try? lenient.decode(CocoFile.self, from: data) else {
                throw DecodingError.dataCorrupted(context)
            }
            return contents
        }
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
        categories.map { DatasetCategory(id: $0.id, name: $0.name, isThing: $0.isthing?.isSet) }
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

/// A truth value: 0 or 1 in COCO, `true` or `false` in data sets that were brought into its form.
struct CocoFlag: Decodable {
    let isSet: Bool

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) { isSet = flag } else { isSet = try container.decode(Double.self) != 0 }
    }
}
