import Foundation

/// The part of JSON Schema (draft 2020-12) that this project's schemas use; any other keyword is an error, so that none is overlooked.
public struct JSONSchema {
    private let root: [String: Any]

    public init(path: String) throws {
        root = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any] ?? [:]
    }

    /// The errors of a line, each with its place; empty when it is valid.
    public func violations(_ line: some StringProtocol) throws -> [String] {
        check(try JSONSerialization.jsonObject(with: Data(line.utf8), options: .fragmentsAllowed), root, "$")
    }

    private func check(_ value: Any, _ schema: [String: Any], _ place: String) -> [String] {
        var found: [String] = []
        let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
        for (keyword, rule) in schema {
            switch keyword {
            case "$schema", "$defs", "title", "description", "properties": break
            case "$ref":
                let parts = (rule as? String ?? "").split(separator: "/").dropFirst().map(String.init)
                let target = parts.reduce(root as Any?) { ($0 as? [String: Any])?[$1] } as? [String: Any]
                found += target.map { check(value, $0, place) } ?? ["\(place): \(rule) leads nowhere"]
            case "type": if !isOf(type: rule as? String ?? "", value) { found.append("\(place): is no \(rule)") }
            case "const": if !(value as? NSObject ?? NSNull()).isEqual(rule) { found.append("\(place): is not \(rule)") }
            case "enum": if !((rule as? [NSObject])?.contains { $0.isEqual(value) } ?? false) { found.append("\(place): is none of \(rule)") }
            case "minimum": if let number = value as? NSNumber, number.doubleValue < (rule as! NSNumber).doubleValue { found.append("\(place): below \(rule)") }
            case "maximum": if let number = value as? NSNumber, number.doubleValue > (rule as! NSNumber).doubleValue { found.append("\(place): above \(rule)") }
            case "minItems": if let list = value as? [Any], list.count < rule as! Int { found.append("\(place): fewer than \(rule)") }
            case "maxItems": if let list = value as? [Any], list.count > rule as! Int { found.append("\(place): more than \(rule)") }
            case "items":
                for (index, item) in (value as? [Any] ?? []).enumerated() { found += check(item, rule as! [String: Any], "\(place)[\(index)]") }
            case "required":
                for name in rule as! [String] where (value as? [String: Any])?[name] == nil { found.append("\(place).\(name): is missing") }
            case "additionalProperties":
                for (name, member) in value as? [String: Any] ?? [:] where properties[name] == nil {
                    found += check(member, rule as! [String: Any], "\(place).\(name)")
                }
            default: found.append("\(place): keyword \(keyword) is not supported")
            }
        }
        for (name, member) in value as? [String: Any] ?? [:] {
            if let rule = properties[name] { found += check(member, rule, "\(place).\(name)") }
        }
        return found
    }

    private func isOf(type: String, _ value: Any) -> Bool {
        // Foundation's booleans are numbers, too.
        let isBoolean = (value as? NSNumber).map { String(cString: $0.objCType) == "c" } ?? (value is Bool)
        switch type {
        case "object": return value is [String: Any]
        case "array": return value is [Any]
        case "string": return value is String
        case "boolean": return isBoolean
        case "number": return value is NSNumber && !isBoolean
        case "integer": return !isBoolean && (value as? NSNumber).map { $0.doubleValue == $0.doubleValue.rounded() } == true
        default: return false
        }
    }
}
