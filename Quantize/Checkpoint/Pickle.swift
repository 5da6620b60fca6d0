import Board

/// Interprets the part of Python's pickle protocol 2 that `torch.save` uses for dictionaries of tensors.
///
/// It builds dictionaries, lists, tuples, numbers, texts and descriptions of tensors, and nothing else: a pickle names the
/// functions to call, and any other than those of `Global` ends in a fault. Containers live in tables and refer to one
/// another by index, so that no nesting, however deep or circular, needs recursion.
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
        case orderedDictionary, rebuildTensor, rebuildParameter, size
        case storage(StoredTensor.Kind)
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

    private(set) var dictionaries: [[(key: Value, value: Value)]] = []
    private(set) var tuples: [[Value]] = []
    private(set) var tensors: [Tensor] = []
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
    /// - Throws: when the pickle is truncated or malformed, calls a function that is not allowed, or is longer than 16 MiB.
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
        case 0x80: // PROTO
            let version = try reader.integer(UInt8.self)
            guard version == 2 else { throw Fault("\(reader.path): pickle protocol \(version); torch.save writes 2 by default, and only that is read") }
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
        case 0x8a: stack.append(.integer(try long())) // LONG1
        case UInt8(ascii: "G"): stack.append(.float(Double(bitPattern: try reader.integer(UInt64.self).byteSwapped)))
        case UInt8(ascii: "X"): stack.append(.text(try reader.text(Int(try reader.integer(UInt32.self)))))
        case UInt8(ascii: "q"): memo[UInt32(try reader.integer(UInt8.self))] = try top()
        case UInt8(ascii: "r"): memo[try reader.integer(UInt32.self)] = try top()
        case UInt8(ascii: "h"): stack.append(try recall(UInt32(try reader.integer(UInt8.self))))
        case UInt8(ascii: "j"): stack.append(try recall(try reader.integer(UInt32.self)))
        case UInt8(ascii: ")"): pushTuple([])
        case 0x85, 0x86, 0x87: // TUPLE1 to TUPLE3
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
        case UInt8(ascii: "c"): stack.append(.global(try global()))
        case UInt8(ascii: "Q"): stack.append(try storage(try pop()))
        case UInt8(ascii: "R"):
            let arguments = try pop()
            stack.append(try call(try pop(), arguments))
        case UInt8(ascii: "b"): // BUILD: attributes of a dictionary, such as the versions of a state_dict's modules
            _ = try pop()
            guard case .dictionary = try top() else { throw corrupt() }
        default:
            throw Fault("\(reader.path): opcode \(opcode) at byte \(start) is not one that torch.save writes into a checkpoint")
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

    private func extendListIndex() throws(Fault) -> Int {
        guard case .list(let index) = try top() else { throw corrupt() }
        return index
    }

    private mutating func extendList(_ values: [Value]) throws(Fault) {
        let index = try extendListIndex()
        lists[index] += values
    }

    private mutating func extendDictionary(_ values: [Value]) throws(Fault) {
        guard case .dictionary(let index) = try top(), values.count % 2 == 0 else { throw corrupt() }
        for item in stride(from: 0, to: values.count, by: 2) {
            dictionaries[index].append((values[item], values[item + 1]))
        }
    }

    /// A little-endian two's complement number of up to eight bytes.
    private mutating func long() throws(Fault) -> Int {
        let count = Int(try reader.integer(UInt8.self))
        guard count <= 8 else { throw corrupt() }
        let bytes = try reader.take(count)
        guard let last = bytes.last else { return 0 }
        var value = last & 0x80 == 0 ? 0 : -1
        for byte in bytes.reversed() { value = value << 8 | Int(byte) }
        return value
    }

    // MARK: - PyTorch

    private mutating func line() throws(Fault) -> String {
        var count = 0
        while count < min(reader.remaining, 256), reader.bytes[reader.offset + count] != UInt8(ascii: "\n") { count += 1 }
        let text = try reader.text(count)
        guard try reader.integer(UInt8.self) == UInt8(ascii: "\n") else { throw corrupt() }
        return text
    }

    private mutating func global() throws(Fault) -> Global {
        let name = try line() + "." + line()
        guard let global = Pickle.globals[name] else {
            throw Fault("\(reader.path): refers to \(abbreviated(name)), which a checkpoint of tensors has no use for; it was not loaded")
        }
        return global
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

    /// `("storage", <kind>, <key>, <device>, <elements>)`
    private mutating func storage(_ identifier: Value) throws(Fault) -> Value {
        let fields = try tuple(identifier)
        guard fields.count == 5, case .text("storage") = fields[0], case .global(.storage(let kind)) = fields[1],
              case .text(let key) = fields[2], case .integer(let count) = fields[4], count >= 0 else { throw corrupt() }
        storages.append(Storage(kind: kind, key: key, count: count))
        return .storage(storages.count - 1)
    }

    private mutating func call(_ function: Value, _ arguments: Value) throws(Fault) -> Value {
        let arguments = try tuple(arguments)
        guard case .global(let global) = function else { throw corrupt() }
        switch global {
        case .orderedDictionary:
            guard arguments.isEmpty else { throw corrupt() }
            dictionaries.append([])
            return .dictionary(dictionaries.count - 1)
        case .rebuildTensor: // (storage, offset, shape, strides, requires_grad, hooks, ...)
            guard (6...7).contains(arguments.count), case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1] else {
                throw corrupt()
            }
            tensors.append(Tensor(
                storage: storages[storage], offset: offset,
                shape: try integers(arguments[2]), strides: try integers(arguments[3])))
            return .tensor(tensors.count - 1)
        case .rebuildParameter: // (tensor, requires_grad, hooks)
            guard let first = arguments.first, case .tensor = first else { throw corrupt() }
            return first
        case .size:
            guard arguments.count == 1, case .tuple = arguments[0] else { throw corrupt() }
            return arguments[0]
        case .storage:
            throw corrupt()
        }
    }
}
