import Kernels
import System

/// Key-values. Every accessor throws a fault that names the file and the key when the key is missing or of another type.
extension GGUF {
    /// In file order.
    public var keys: [String] { entries.map { $0.key } }

    public func has(_ key: String) -> Bool {
        entry(key) != nil
    }

    public func string(_ key: String) throws(Fault) -> String {
        var reader = reader(at: try entry(key, .string))
        return try reader.text(try reader.count(ofSize: 1))
    }

    public func bool(_ key: String) throws(Fault) -> Bool {
        head[try entry(key, .bool).offset] == 1
    }

    /// A value of any integer type.
    public func integer(_ key: String) throws(Fault) -> Int {
        let entry = try present(key)
        return try integer(entry, 0)
    }

    /// A value of either floating-point type, rounded to the nearest `Float`.
    public func float(_ key: String) throws(Fault) -> Float {
        let entry = try present(key)
        return try float(entry, 0)
    }

    public func strings(_ key: String) throws(Fault) -> [String] {
        let entry = try entry(key, .array)
        guard entry.element == .string else { throw mismatch(entry, "strings") }
        var reader = reader(at: entry)
        var result: [String] = []
        result.reserveCapacity(entry.count)
        for _ in 0..<entry.count { result.append(try reader.text(try reader.count(ofSize: 1))) }
        return result
    }

    public func bools(_ key: String) throws(Fault) -> [Bool] {
        let entry = try entry(key, .array)
        guard entry.element == .bool else { throw mismatch(entry, "truth values") }
        return (0..<entry.count).map { head[entry.offset + $0] == 1 }
    }

    public func integers(_ key: String) throws(Fault) -> [Int] {
        let entry = try entry(key, .array)
        var result: [Int] = []
        result.reserveCapacity(entry.count)
        for index in 0..<entry.count { result.append(try integer(entry, index)) }
        return result
    }

    public func floats(_ key: String) throws(Fault) -> [Float] {
        let entry = try entry(key, .array)
        var result: [Float] = []
        result.reserveCapacity(entry.count)
        for index in 0..<entry.count { result.append(try float(entry, index)) }
        return result
    }

    /// The value in one line for people: long texts are cut, and arrays after `limit` elements.
    public func describe(_ key: String, limit: Int = 8) throws(Fault) -> String {
        let entry = try present(key)
        guard entry.type == .array else { return try describe(entry, limit) }
        guard entry.element != .array else { return "[\(entry.count) arrays]" }
        let rest = entry.count > limit ? ", ... (\(entry.count) in all)" : ""
        return "[" + (try describe(entry, limit)) + rest + "]"
    }

    // MARK: - Access to checked entries

    func present(_ key: String) throws(Fault) -> Entry {
        guard let entry = entry(key) else { throw Fault("\(path): has no key \(abbreviated(key))") }
        return entry
    }

    func entry(_ key: String, _ type: ValueType) throws(Fault) -> Entry {
        let entry = try present(key)
        guard entry.type == type else { throw mismatch(entry, type.name) }
        return entry
    }

    private func mismatch(_ entry: Entry, _ wanted: String) -> Fault {
        let found = entry.type == .array ? "an array of \(entry.element.name)" : entry.type.name
        return Fault("\(path): key \(abbreviated(entry.key)) is \(found), expected \(wanted)")
    }

    private func reader(at entry: Entry) -> ByteReader {
        ByteReader(head, at: entry.offset, path: path)
    }

    private func load<T: FixedWidthInteger>(_ entry: Entry, _ index: Int, as type: T.Type) -> T {
        T(littleEndian: head.loadUnaligned(fromByteOffset: entry.offset + index * MemoryLayout<T>.size, as: T.self))
    }

    private func integer(_ entry: Entry, _ index: Int) throws(Fault) -> Int {
        switch entry.element {
        case .uint8: return Int(load(entry, index, as: UInt8.self))
        case .int8: return Int(load(entry, index, as: Int8.self))
        case .uint16: return Int(load(entry, index, as: UInt16.self))
        case .int16: return Int(load(entry, index, as: Int16.self))
        case .uint32: return Int(load(entry, index, as: UInt32.self))
        case .int32: return Int(load(entry, index, as: Int32.self))
        case .int64: return Int(load(entry, index, as: Int64.self))
        case .uint64:
            let value = load(entry, index, as: UInt64.self)
            guard let result = Int(exactly: value) else { throw Fault("\(path): key \(abbreviated(entry.key)): \(value) is too large") }
            return result
        default: throw mismatch(entry, "an integer")
        }
    }

    private func float(_ entry: Entry, _ index: Int) throws(Fault) -> Float {
        switch entry.element {
        case .float32: return Float(bitPattern: load(entry, index, as: UInt32.self))
        case .float64: return Float(Double(bitPattern: load(entry, index, as: UInt64.self)))
        default: throw mismatch(entry, "a floating-point number")
        }
    }

    private func describe(_ entry: Entry, _ limit: Int) throws(Fault) -> String {
        var reader = reader(at: entry)
        var text = ""
        for index in 0..<min(entry.count, limit) {
            if index > 0 { text += ", " }
            switch entry.element {
            case .string: text += "\"" + abbreviated(try reader.text(try reader.count(ofSize: 1))) + "\""
            case .bool: text += head[entry.offset + index] == 1 ? "true" : "false"
            case .float32, .float64: text += "\(try float(entry, index))"
            case .uint64: text += "\(load(entry, index, as: UInt64.self))"
            default: text += "\(try integer(entry, index))"
            }
        }
        return text
    }
}
