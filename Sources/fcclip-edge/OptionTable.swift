import CSystem
import Capture
import Imaging
import Kernels
import Network
import Runtime
import System

/// The options of one command, with their help texts.
struct OptionTable<Command>: Sendable {
    /// One option: its name, an older spelling if there is one, the name of its value (nil for none), its help text, and its effect.
    struct Entry: Sendable {
        let name: StaticString
        var formerly: StaticString?
        let value: StaticString?
        let help: StaticString
        let apply: @Sendable (inout Command, String) throws(Fault) -> Void
    }

    let entries: [Entry]

    /// Applies options to `command`, in their order. - Throws: on unknown or malformed ones, and on missing values.
    func read(_ arguments: ArraySlice<String>, into command: inout Command) throws(Fault) {
        var rest = arguments
        while let argument = rest.popFirst() {
            let (entry, inline) = try find(argument)
            if entry.value == nil {
                try entry.apply(&command, "")
            } else if let value = inline ?? rest.popFirst() {
                try entry.apply(&command, value)
            } else {
                throw Fault("--\(entry.name) needs a value; see --help")
            }
        }
    }

    /// The option that `argument` names, and its value if given as `--name=value`.
    private func find(_ argument: String) throws(Fault) -> (Entry, String?) {
        let bytes = Array((argument == "-h" ? "--help" : argument).utf8)
        guard bytes.count > 2, bytes[0] == 0x2D, bytes[1] == 0x2D else { throw Fault("\(argument): not an option; see --help") }
        let end = bytes.firstIndex(of: 0x3D) ?? bytes.count
        let name = String(decoding: bytes[2..<end], as: UTF8.self)
        for entry in entries where "\(entry.name)" == name || entry.formerly.map({ "\($0)" }) == name {
            guard end < bytes.count else { return (entry, nil) }
            guard entry.value != nil else { throw Fault("--\(name) takes no value") }
            return (entry, String(decoding: bytes[(end + 1)...], as: UTF8.self))
        }
        throw Fault("--\(name): no such option; see --help")
    }

    /// One line an option.
    var help: String {
        var text = ""
        for entry in entries {
            var left = "  --\(entry.name)"
            if let value = entry.value { left += " \(value)" }
            while left.utf8.count < 27 { left += " " }
            text += "\n\(left)\(entry.help)"
        }
        return text
    }
}

/// What every command that runs a network needs to know.
protocol NetworkOptions: SendableMetatype {
    var task: Task { get set }
    var threads: Int { get set }
    var kernels: KernelSet { get set }
}

extension OptionTable.Entry where Command: NetworkOptions {
    static var task: Self {
        .init(name: "task", value: "NAME", help: "panoptic (default), semantic or instance") { (options, value) throws(Fault) in
            options.task = try OptionValue.task(value)
        }
    }

    static var threads: Self {
        .init(name: "threads", value: "N", help: "threads; default: one for each processor") { (options, value) throws(Fault) in
            options.threads = try OptionValue.number(value, of: "threads", in: 1...256)
        }
    }

    static var instructionSet: Self {
        .init(
            name: "instruction-set", formerly: "isa", value: "NAME", help: "kernels to use instead of the best that this processor runs; --version lists them"
        ) { (options, value) throws(Fault) in
            options.kernels = try OptionValue.kernels(value)
        }
    }
}

/// Values that several commands take. All throw a fault that names option and value.
enum OptionValue {
    static func number(_ text: String, of name: StaticString, in range: ClosedRange<Int>) throws(Fault) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw Fault("--\(name) \(text): a number of \(range.lowerBound)...\(range.upperBound) is expected")
        }
        return number
    }

    static func size(_ text: String, of name: StaticString) throws(Fault) -> Size {
        guard let size = FrameLayout.size(text) else {
            throw Fault("--\(name) \(text): width and height of 1...\(FrameLayout.longestSide) are expected, such as 512x384")
        }
        return size
    }

    static func task(_ name: String) throws(Fault) -> Task {
        switch name {
        case "panoptic": return .panoptic
        case "semantic": return .semantic
        case "instance": return .instance
        default: throw Fault("--task \(name): panoptic, semantic or instance is expected")
        }
    }

    static func kernels(_ name: String) throws(Fault) -> KernelSet {
        guard let table = KernelSet.named(name) else {
            var names = ""
            for table in KernelSet.all { names += (names.isEmpty ? "" : ", ") + "\(table.name)" }
            throw Fault("--instruction-set \(name): no such instruction set; there are \(names)")
        }
        guard table.isSupported else { throw Fault("--instruction-set \(name): this processor does not have it") }
        return table.fitted
    }
}
