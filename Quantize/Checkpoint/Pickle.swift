import CSystem
import Kernels
import System

/// Interprets Python's pickle protocols 2 to 5 as far as `torch.save` uses them for dictionaries of tensors and for the schedulers, options
/// and random states that training programs save with them, and `torch.jit.save` for the modules of TorchScript programs.
///
/// It builds dictionaries, lists, tuples, numbers, texts, modules and descriptions of tensors, and nothing else. A pickle names the classes and functions to
/// call; those of `Global` are understood, any other becomes an opaque value, and nothing runs. Containers live in tables and refer to
/// one another by index, so that no nesting, however deep or circular, needs recursion.
///
/// Opcodes: CPython's Lib/pickletools.py.
struct Pickle {
    struct Storage {
        let kind: StoredTensor.Kind
        /// Name of the zip entry below `data/`.
        let key: String
        /// Elements.
        let count: Int
    }

    struct Tensor {
        let storage: Storage
        /// Of the first element in the storage, in elements.
        let offset: Int
        let shape: [Int]
        let strides: [Int]
    }

    enum Global {
        case orderedDictionary, rebuildTensor, rebuildParameter, rebuildSubclass, size
        case storage(StoredTensor.Kind)
        /// A class that a TorchScript program declares.
        case module
        case unknown
    }

    enum Value {
        case none
        case bool(Bool)
        case integer(Int)
        case float(Double)
        case text(String)
        case tuple(Int)
        case list(Int)
        case dictionary(Int)
        /// What an unknown class makes; items that are set on it are kept as a dictionary's, since it may be a kind of one.
        case object(Int)
        /// An object of a TorchScript program's class.
        case module(Int)
        /// Unused values: bytes, sets, integers of more than 64 bits.
        case opaque
        case global(Global)
        case storage(Int)
        case tensor(Int)
    }

    private static let longest = 16 << 20
    private static let deepest = 1 << 16

    private static let globals: [String: Global] = [
        "collections.OrderedDict": .orderedDictionary,
        "torch._utils._rebuild_tensor_v2": .rebuildTensor,
        "torch._utils._rebuild_parameter": .rebuildParameter,
        "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
        "torch._tensor._rebuild_from_type_v2": .rebuildSubclass,
        "torch.Size": .size,
        "torch.FloatStorage": .storage(.float32),
        "torch.HalfStorage": .storage(.float16),
        "torch.BFloat16Storage": .storage(.bfloat16),
        "torch.DoubleStorage": .storage(.float64),
        "torch.LongStorage": .storage(.int64),
        "torch.IntStorage": .storage(.int32),
        "torch.ShortStorage": .storage(.int16),
        "torch.CharStorage": .storage(.int8),
        "torch.ByteStorage": .storage(.uint8),
        "torch.BoolStorage": .storage(.bool),
    ]

    /// Modules and built-in functions that no checkpoint needs: a file that names them is an attack.
    private static let attacks: Set<String> = ["os", "posix", "nt", "subprocess", "sys", "pty", "runpy", "socket", "shutil", "ctypes"]
    private static let attackers: Set<String> = ["eval", "exec", "compile", "execfile", "__import__", "open"]

    private(set) var dictionaries: [[(key: Value, value: Value)]] = []
    private(set) var tuples: [[Value]] = []
    private(set) var tensors: [Tensor] = []
    /// For each TorchScript module the dictionary of its attributes, if it was given one.
    private(set) var modules: [Int?] = []
    /// What the pickle describes.
    private(set) var result = Value.none

    /// What to call the pickle in faults.
    var path: String { reader.path }

    private var lists: [[Value]] = []
    private var storages: [Storage] = []
    private var stack: [Value] = []
    /// Heights of the stack at the marks that are open.
    private var marks: [Int] = []
    private var memo: [UInt32: Value] = [:]
    private var reader: ByteReader

    /// - Parameter path: what to call the pickle in faults.
    /// - Throws: when the pickle is truncated or malformed, names a function that runs programs, or is longer than 16 MiB.
    init(_ bytes: UnsafeRawBufferPointer, path: String) throws(Fault) {
        reader = ByteReader(bytes, path: path)
        guard bytes.count <= Pickle.longest else { throw Fault("\(path): \(bytes.count) bytes long; a checkpoint's is far shorter") }
        while try step() {
            guard stack.count <= Pickle.deepest, marks.count <= Pickle.deepest else { throw corrupt() }
        }
    }

    // MARK: - Interpreter

    private func corrupt() -> Fault {
        Fault("\(reader.path): corrupt pickle at byte \(reader.offset)")
    }

    /// Executes one opcode. - Returns: whether another follows.
    private mutating func step() throws(Fault) -> Bool {
        let start = reader.offset
        let opcode = try reader.integer(UInt8.self)
        switch opcode {
        case 0x80:  // PROTO
            let version = try reader.integer(UInt8.self)
            guard (2...5).contains(version) else { throw Fault("\(reader.path): pickle protocol \(version); 2 to 5 are read") }
        case UInt8(ascii: "."):
            result = try pop()
            return false
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: "0"): _ = try pop()
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"): stack.append(try top())
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88: stack.append(.bool(true))
        case 0x89: stack.append(.bool(false))
        case UInt8(ascii: "J"): stack.append(.integer(Int(try reader.integer(Int32.self))))
        case UInt8(ascii: "K"): stack.append(.integer(Int(try reader.integer(UInt8.self))))
        case UInt8(ascii: "M"): stack.append(.integer(Int(try reader.integer(UInt16.self))))
        case 0x8a: stack.append(try long(Int(try reader.integer(UInt8.self))))  // LONG1
        case 0x8b: stack.append(try long(Int(try reader.integer(Int32.self))))  // LONG4
        case UInt8(ascii: "G"): stack.append(.float(Double(bitPattern: try reader.integer(UInt64.self).byteSwapped)))
        case UInt8(ascii: "X"): stack.append(.text(try reader.text(Int(try reader.integer(UInt32.self)))))
        case 0x8c: stack.append(.text(try reader.text(Int(try reader.integer(UInt8.self)))))  // SHORT_BINUNICODE
        case 0x8d: stack.append(.text(try reader.text(try reader.count(ofSize: 1))))  // BINUNICODE8
        case UInt8(ascii: "C"), UInt8(ascii: "U"): try skip(Int(try reader.integer(UInt8.self)))  // SHORT_BINBYTES, SHORT_BINSTRING
        case UInt8(ascii: "B"), UInt8(ascii: "T"): try skip(Int(try reader.integer(UInt32.self)))  // BINBYTES, BINSTRING
        case 0x8e, 0x96: try skip(try reader.count(ofSize: 1))  // BINBYTES8, BYTEARRAY8
        case 0x8f: stack.append(.opaque)  // EMPTY_SET
        case 0x90:  // ADDITEMS
            _ = try popToMark()
            _ = try top()
        case 0x91:  // FROZENSET
            _ = try popToMark()
            stack.append(.opaque)
        case 0x94: memo[UInt32(memo.count)] = try top()  // MEMOIZE
        case 0x95: _ = try reader.integer(UInt64.self)  // FRAME
        case UInt8(ascii: "q"): memo[UInt32(try reader.integer(UInt8.self))] = try top()
        case UInt8(ascii: "r"): memo[try reader.integer(UInt32.self)] = try top()
        case UInt8(ascii: "h"): stack.append(try recall(UInt32(try reader.integer(UInt8.self))))
        case UInt8(ascii: "j"): stack.append(try recall(try reader.integer(UInt32.self)))
        case UInt8(ascii: ")"): pushTuple([])
        case 0x85, 0x86, 0x87:  // TUPLE1 to TUPLE3
            pushTuple(try pop(Int(opcode - 0x84)))
        case UInt8(ascii: "t"): pushTuple(try popToMark())
        case UInt8(ascii: "]"): pushList([])
        case UInt8(ascii: "l"): pushList(try popToMark())
        case UInt8(ascii: "a"): try extendList([try pop()])
        case UInt8(ascii: "e"): try extendList(try popToMark())
        case UInt8(ascii: "}"): pushDictionary()
        case UInt8(ascii: "d"):
            let items = try popToMark()
            pushDictionary()
            try extendDictionary(items)
        case UInt8(ascii: "s"): try extendDictionary(try pop(2))
        case UInt8(ascii: "u"): try extendDictionary(try popToMark())
        case UInt8(ascii: "c"): stack.append(.global(try global(module: try line(), name: try line())))
        case 0x93:  // STACK_GLOBAL
            guard case .text(let name) = try pop(), case .text(let module) = try pop() else { throw corrupt() }
            stack.append(.global(try global(module: module, name: name)))
        case UInt8(ascii: "Q"): stack.append(try storage(try pop()))
        case UInt8(ascii: "R"):
            let arguments = try pop()
            stack.append(try call(try pop(), arguments))
        case 0x81:  // NEWOBJ
            let arguments = try pop()
            stack.append(try make(try pop(), arguments))
        case 0x92:  // NEWOBJ_EX, with arguments by name
            _ = try pop()
            let arguments = try pop()
            stack.append(try make(try pop(), arguments))
        case UInt8(ascii: "b"):  // BUILD: attributes, such as the versions of a state_dict's modules
            let state = try pop()
            switch try top() {
            // By reference: copies could make a short pickle long.
            case .module(let index): if case .dictionary(let attributes) = state { modules[index] = attributes }
            case .dictionary, .object, .opaque, .tensor: break
            default: throw corrupt()
            }
        default:
            throw Fault("\(reader.path): opcode \(opcode) at byte \(start) is not one that PyTorch writes into a checkpoint")
        }
        return true
    }

    private mutating func pop() throws(Fault) -> Value {
        // What lies below an open mark is not the opcode's to take.
        guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw corrupt() }
        return value
    }

    private mutating func pop(_ count: Int) throws(Fault) -> [Value] {
        guard stack.count - (marks.last ?? 0) >= count else { throw corrupt() }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws(Fault) -> [Value] {
        guard let mark = marks.popLast() else { throw corrupt() }
        defer { stack.removeLast(stack.count - mark) }
        return Array(stack[mark...])
    }

    private func top() throws(Fault) -> Value {
        guard stack.count > marks.last ?? 0, let value = stack.last else { throw corrupt() }
        return value
    }

    private func recall(_ index: UInt32) throws(Fault) -> Value {
        guard let value = memo[index] else { throw corrupt() }
        return value
    }

    private mutating func pushTuple(_ values: [Value]) {
        stack.append(.tuple(tuples.count))
        tuples.append(values)
    }

    private mutating func pushList(_ values: [Value]) {
        stack.append(.list(lists.count))
        lists.append(values)
    }

    private mutating func pushDictionary() {
        stack.append(.dictionary(dictionaries.count))
        dictionaries.append([])
    }

    private mutating func extendList(_ values: [Value]) throws(Fault) {
        switch try top() {
        case .list(let index): lists[index] += values
        case .object, .opaque: break
        default: throw corrupt()
        }
    }

    private mutating func extendDictionary(_ values: [Value]) throws(Fault) {
        guard values.count % 2 == 0 else { throw corrupt() }
        let index: Int
        switch try top() {
        case .dictionary(let own), .object(let own): index = own
        case .opaque: return
        default: throw corrupt()
        }
        for item in stride(from: 0, to: values.count, by: 2) {
            dictionaries[index].append((values[item], values[item + 1]))
        }
    }

    /// A little-endian two's complement number; opaque when it has more than eight bytes.
    private mutating func long(_ count: Int) throws(Fault) -> Value {
        let bytes = try reader.take(count)
        guard count <= 8 else { return .opaque }
        guard let last = bytes.last else { return .integer(0) }
        var value = last & 0x80 == 0 ? 0 : -1
        for byte in bytes.reversed() { value = value << 8 | Int(byte) }
        return .integer(value)
    }

    /// Skips bytes that are not used.
    private mutating func skip(_ count: Int) throws(Fault) {
        _ = try reader.take(count)
        stack.append(.opaque)
    }

    // MARK: - PyTorch

    private mutating func line() throws(Fault) -> String {
        var count = 0
        while count < min(reader.remaining, 256), reader.bytes[reader.offset + count] != UInt8(ascii: "\n") { count += 1 }
        let text = try reader.text(count)
        guard try reader.integer(UInt8.self) == UInt8(ascii: "\n") else { throw corrupt() }
        return text
    }

    private func global(module: String, name: String) throws(Fault) -> Global {
        let isBuiltin = module == "builtins" || module == "__builtin__"
        guard !Pickle.attacks.contains(String(module.prefix { $0 != "." })), !(isBuiltin && Pickle.attackers.contains(name)) else {
            throw Fault("\(reader.path): refers to \(abbreviated(module + "." + name)), which runs programs and belongs into no checkpoint; it was not loaded")
        }
        if let known = Pickle.globals[module + "." + name] { return known }
        return module == "__torch__" || module.hasPrefix("__torch__.") ? .module : .unknown
    }

    private func tuple(_ value: Value) throws(Fault) -> [Value] {
        guard case .tuple(let index) = value else { throw corrupt() }
        return tuples[index]
    }

    /// A shape or strides; short, so that a pickle cannot make many long copies of one tuple.
    private func integers(_ value: Value) throws(Fault) -> [Int] {
        let items = try tuple(value)
        guard items.count <= StoredTensor.highestRank else { throw corrupt() }
        var result: [Int] = []
        for item in items {
            guard case .integer(let number) = item else { throw corrupt() }
            result.append(number)
        }
        return result
    }

    /// `("storage", <kind>, <key>, <device>, <elements>)`; opaque when its elements are of a kind that is not read.
    private mutating func storage(_ identifier: Value) throws(Fault) -> Value {
        let fields = try tuple(identifier)
        if fields.count == 5, case .text("storage") = fields[0], case .global(.unknown) = fields[1] { return .opaque }
        guard fields.count == 5, case .text("storage") = fields[0], case .global(.storage(let kind)) = fields[1],
            case .text(let key) = fields[2], case .integer(let count) = fields[4], count >= 0
        else { throw corrupt() }
        storages.append(Storage(kind: kind, key: key, count: count))
        return .storage(storages.count - 1)
    }

    private mutating func object() -> Value {
        dictionaries.append([])
        return .object(dictionaries.count - 1)
    }

    /// An object of a class.
    private mutating func make(_ kind: Value, _ arguments: Value) throws(Fault) -> Value {
        guard case .global(.unknown) = kind else { return try call(kind, arguments) }
        return object()
    }

    private mutating func call(_ function: Value, _ arguments: Value) throws(Fault) -> Value {
        let global: Global
        switch function {
        case .global(let known): global = known
        // What an unknown function returned may be called in turn.
        case .object, .opaque: global = .unknown
        default: throw corrupt()
        }
        let arguments = try tuple(arguments)
        switch global {
        case .orderedDictionary:
            guard arguments.isEmpty else { throw corrupt() }
            dictionaries.append([])
            return .dictionary(dictionaries.count - 1)
        case .rebuildTensor:  // (storage, offset, shape, strides, requires_grad, hooks, ...)
            if case .opaque? = arguments.first { return .opaque }
            guard (6...7).contains(arguments.count), case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1] else {
                throw corrupt()
            }
            tensors.append(
                Tensor(
                    storage: storages[storage], offset: offset,
                    shape: try integers(arguments[2]), strides: try integers(arguments[3])))
            return .tensor(tensors.count - 1)
        case .rebuildParameter:  // (tensor, requires_grad, hooks, ...)
            switch arguments.first {
            case .tensor?, .opaque?, .object?: return arguments[0]
            default: throw corrupt()
            }
        case .rebuildSubclass:  // (function, class, arguments, state)
            guard arguments.count == 4, case .global(let inner) = arguments[0] else { throw corrupt() }
            if case .rebuildSubclass = inner { throw corrupt() }
            return try call(arguments[0], arguments[2])
        case .size:
            guard arguments.count == 1, case .tuple = arguments[0] else { throw corrupt() }
            return arguments[0]
        case .storage:
            throw corrupt()
        case .module:
            modules.append(nil)
            return .module(modules.count - 1)
        case .unknown:
            return object()
        }
    }
}
