/// This machine's processors, as Linux reports them in `/proc/cpuinfo`. Empty if it cannot be read.
public struct ProcessorInfo {
    /// One kind of ARM core, from the main identification register (MIDR_EL1).
    public struct Core: Equatable, Sendable {
        public let implementer: Int, part: Int
    }

    /// The model name of an x86 processor; nil on ARM.
    public private(set) var modelName: String?
    /// The kinds of ARM cores, in the order in which the first of each is listed.
    public private(set) var cores: [Core] = []
    /// The ARM core of each processor, by its number; nil where none is listed.
    private(set) var processors: [Core?] = []

    /// - Parameter list: the file, for tests.
    public init(list: String = "/proc/cpuinfo") {
        var implementer = 0
        var processor = 0
        forEachLine(of: list) { line in
            if let value = ProcessorInfo.value(line, of: "processor"), let number = Int(String(decoding: value, as: UTF8.self)), number >= 0 {
                processor = number
            }
            if let value = ProcessorInfo.value(line, of: "CPU implementer").flatMap(ProcessorInfo.hexadecimal) { implementer = value }
            if let part = ProcessorInfo.value(line, of: "CPU part").flatMap(ProcessorInfo.hexadecimal) {
                let core = Core(implementer: implementer, part: part)
                if processor < 256 {
                    while processors.count <= processor { processors.append(nil) }
                    processors[processor] = core
                }
                if !cores.contains(core) { cores.append(core) }
            }
            if modelName == nil, let name = ProcessorInfo.value(line, of: "model name"), !name.isEmpty { modelName = String(decoding: name, as: UTF8.self) }
            return true
        }
    }

    /// The model's name, or the kinds of cores as in `0x41/0xd05, 0x41/0xd0b` (implementer and part); nil when neither is known.
    public var name: String? {
        if let modelName { return modelName }
        var text = ""
        for core in cores { text += (text.isEmpty ? "" : ", ") + "0x" + String(core.implementer, radix: 16) + "/0x" + String(core.part, radix: 16) }
        return text.isEmpty ? nil : text
    }

    /// The value of a line `key : value`, without blanks around it; nil when it is another line.
    private static func value(_ line: [UInt8], of key: StaticString) -> ArraySlice<UInt8>? {
        guard let rest = System.value(in: line, after: key), let colon = rest.firstIndex(of: 0x3A),
            rest[..<colon].allSatisfy({ $0 == 0x20 || $0 == 0x09 })
        else { return nil }
        var value = rest[(colon + 1)...]
        while let first = value.first, first == 0x20 || first == 0x09 { value.removeFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value.removeLast() }
        return value
    }

    /// The value of a text such as `0x41`; nil for other text, and above 32 bits.
    private static func hexadecimal(_ text: ArraySlice<UInt8>) -> Int? {
        guard text.starts(with: [0x30, 0x78]), let value = Int(String(decoding: text.dropFirst(2), as: UTF8.self), radix: 16), value >= 0, value < 1 << 32
        else {
            return nil
        }
        return value
    }
}
