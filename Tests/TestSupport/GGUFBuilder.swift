import ModelFormat

/// A GGUF file built field by field; nothing is checked, and every field can be wrong.
public struct GGUFBuilder: Sendable {
    public struct Tensor: Sendable {
        public var name: String
        /// Innermost dimension first, as in the file.
        public var dimensions: [UInt64]
        public var kind: UInt32
        public var offset: UInt64

        public init(_ name: String, _ dimensions: [UInt64], kind: UInt32 = 0, offset: UInt64) {
            self.name = name
            self.dimensions = dimensions
            self.kind = kind
            self.offset = offset
        }
    }

    public var magic = "GGUF"
    public var version: UInt32 = 3
    /// nil: the correct value.
    public var tensorCount: UInt64?
    public var entryCount: UInt64?
    /// Encoded values with their types in front.
    public var entries: [(key: String, value: [UInt8])] = []
    public var tensors: [Tensor] = []
    public var alignment = 32
    public var data: [UInt8] = []

    public init() {}

    public static func string(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(little: UInt64(text.utf8.count))
        return bytes + Array(text.utf8)
    }

    /// A value of GGUF type `type` from its raw bytes.
    public static func value(_ type: UInt32, _ raw: [UInt8]) -> [UInt8] {
        .little([type]) + raw
    }

    public static func array(_ element: UInt32, count: UInt64, _ raw: [UInt8]) -> [UInt8] {
        .little([UInt32(9), element]) + .little([count]) + raw
    }

    public func bytes() -> [UInt8] {
        var file = Array(magic.utf8)
        file.append(little: version)
        file.append(little: tensorCount ?? UInt64(tensors.count))
        file.append(little: entryCount ?? UInt64(entries.count))
        for entry in entries { file += Self.string(entry.key) + entry.value }
        for tensor in tensors {
            file += Self.string(tensor.name)
            file.append(little: UInt32(tensor.dimensions.count))
            for dimension in tensor.dimensions { file.append(little: dimension) }
            file.append(little: tensor.kind)
            file.append(little: tensor.offset)
        }
        if !tensors.isEmpty {
            file += [UInt8](repeating: 0, count: (alignment - file.count % alignment) % alignment)
        }
        return file + data
    }
}
