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

    /// The opcodes that `torch.jit.save` writes for a module with `attributes`, which it calls for one name after another.
    public mutating func module(_ attributes: [String], _ attribute: (inout PickleBuilder, String) -> Void) {
        global("__torch__.clip.model.___torch_mangle_\(bytes.count)", "Module")
        bytes += Array(")".utf8) + [0x81] + Array("}(".utf8)
        for name in attributes {
            text(name)
            attribute(&self, name)
        }
        bytes += Array("ub".utf8)
    }

    /// A module and the modules within it, with the tensors at the ends of their names' paths, and attributes that are no tensors.
    public mutating func modules(_ tensors: [TorchBuilder.Tensor], depth: Int = 0) {
        func name(_ tensor: TorchBuilder.Tensor) -> String { String(tensor.name.split(separator: ".")[depth]) }
        var names: [String] = []
        for tensor in tensors where names.last != name(tensor) { names.append(name(tensor)) }
        module(["training", "bias_k", "stride", "padding_mode"] + names) { builder, attribute in
            let own = tensors.filter { name($0) == attribute }
            switch attribute {
            case "training": builder.bytes.append(0x89)
            case "bias_k": builder.opcode("N")
            case "stride": builder.tuple([1, 1])
            case "padding_mode": builder.text("zeros")
            default:
                let isTensor = own.count == 1 && own[0].name.split(separator: ".").count == depth + 1
                if isTensor { builder.tensor(own[0]) } else { builder.modules(own, depth: depth + 1) }
            }
        }
    }

    /// The opcodes that `torch.save` writes for a tensor.
    public mutating func tensor(_ tensor: TorchBuilder.Tensor) {
        global("torch._utils", "_rebuild_tensor_v2")
        opcode("(")
        opcode("(")
        text("storage")
        global("torch", tensor.storage)
        text(tensor.key)
        text(tensor.device)
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

/// A PyTorch checkpoint or TorchScript archive (zip), made without PyTorch.
public struct TorchBuilder: Sendable {
    public struct Tensor: Sendable {
        public var name: String
        public var storage = "FloatStorage"
        public var device = "cpu"
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

        public init(_ name: String, key: String, shape: [Int], halves: [Float]) {
            self.init(name, key: key, shape: shape, halves)
            storage = "HalfStorage"
            data = .little(halves.map { Float16($0) })
        }

        public init(_ name: String, key: String, shape: [Int], integers: [Int64]) {
            self.init(name, key: key, shape: shape, integers.map { Float($0) })
            storage = "LongStorage"
            data = .little(integers)
        }
    }

    public var tensors: [Tensor]
    /// Key of the dictionary around the tensors; nil: none.
    public var wrapper: String?
    /// Whether the tensors are attributes of a TorchScript program's modules, sorted so that those of a module stand together.
    public var isProgram = false
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
        if isProgram {
            builder.modules(tensors)
            builder.opcode(".")
            return builder.bytes
        }
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
        var entries = [ZipBuilder.Entry("archive/data.pkl", pickleBytes())]
        if isProgram {
            // The code is compressed.
            var code = ZipBuilder.Entry("archive/code/__torch__/clip/model.py", [3, 0])
            code.method = 8
            code.size = 0
            code.storedSize = 2
            entries += [code, ZipBuilder.Entry("archive/constants.pkl", Array("\u{80}\u{2}).".unicodeScalars.map { UInt8($0.value) }))]
        } else {
            entries.append(ZipBuilder.Entry("archive/byteorder", Array("little".utf8)))
        }
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
