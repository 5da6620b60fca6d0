/// A pickle built opcode by opcode (protocol 2).
public struct PickleBuilder: Sendable {
    public var bytes: [UInt8] = [0x80, 0x02]

    public init() {}

    public mutating func opcode(_ character: Character) {
        bytes.append(character.asciiValue!)
    }

    public mutating func global(_ module: String, _ name: String) {
        bytes += Array("c\(module)\n\(name)\n".utf8)
    }

    public mutating func text(_ text: String) {
        opcode("X")
        bytes.append(little: UInt32(text.utf8.count))
        bytes += Array(text.utf8)
    }

    public mutating func integer(_ value: Int) {
        bytes += [0x8a, 8]
        bytes.append(little: Int64(value))
    }

    public mutating func tuple(_ values: [Int]) {
        opcode("(")
        for value in values { integer(value) }
        opcode("t")
    }

    /// The opcodes that `torch.save` writes for a tensor.
    public mutating func tensor(_ tensor: TorchBuilder.Tensor) {
        global("torch._utils", "_rebuild_tensor_v2")
        opcode("(")
        opcode("(")
        text("storage")
        global("torch", tensor.storage)
        text(tensor.key)
        text("cpu")
        integer(tensor.elements)
        opcode("t")
        opcode("Q")
        integer(tensor.offset)
        tuple(tensor.shape)
        tuple(tensor.strides)
        bytes.append(0x89)
        global("collections", "OrderedDict")
        opcode(")")
        opcode("R")
        opcode("t")
        opcode("R")
    }
}

/// A PyTorch checkpoint (zip), made without PyTorch.
public struct TorchBuilder: Sendable {
    public struct Tensor: Sendable {
        public var name: String
        public var storage = "FloatStorage"
        /// Entry below `data/`.
        public var key: String
        /// Elements in the storage.
        public var elements: Int
        public var offset = 0
        public var shape: [Int]
        public var strides: [Int]
        public var data: [UInt8]

        public init(_ name: String, key: String, shape: [Int], _ values: [Float]) {
            self.name = name
            self.key = key
            self.shape = shape
            elements = values.count
            data = .little(values)
            strides = shape.indices.map { shape[($0 + 1)...].reduce(1, *) }
        }
    }

    public var tensors: [Tensor]
    /// Key of the dictionary around the tensors; nil: none.
    public var wrapper: String?
    /// Replaces the pickle of `tensors`.
    public var pickle: [UInt8]?
    public var extraEntries: [ZipBuilder.Entry] = []

    public init(_ tensors: [Tensor], wrapper: String? = nil) {
        self.tensors = tensors
        self.wrapper = wrapper
    }

    public func pickleBytes() -> [UInt8] {
        if let pickle { return pickle }
        var builder = PickleBuilder()
        builder.opcode("}")
        if let wrapper {
            builder.text(wrapper)
            builder.opcode("}")
        }
        builder.opcode("(")
        for tensor in tensors {
            builder.text(tensor.name)
            builder.tensor(tensor)
        }
        builder.opcode("u")
        if wrapper != nil { builder.opcode("s") }
        builder.opcode(".")
        return builder.bytes
    }

    /// The archive, to be changed or written.
    public func zip() -> ZipBuilder {
        var entries = [ZipBuilder.Entry("archive/data.pkl", pickleBytes()), ZipBuilder.Entry("archive/byteorder", Array("little".utf8))]
        var keys: Set<String> = []
        for tensor in tensors where keys.insert(tensor.key).inserted {
            entries.append(ZipBuilder.Entry("archive/data/\(tensor.key)", tensor.data))
        }
        var builder = ZipBuilder(entries + [ZipBuilder.Entry("archive/version", Array("3\n".utf8))] + extraEntries)
        builder.alignment = 64
        return builder
    }

    public func bytes() -> [UInt8] {
        zip().bytes()
    }
}
