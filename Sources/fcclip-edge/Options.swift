import Board
import CBoard
import Kernels
import Network

/// What the command line asks for.
struct Options {
    var model = ""
    var vocabulary = ""
    var image = ""
    var task = Task.panoptic
    var overlay: String?
    var labels: String?
    var json: String?
    var threads = processorCount()
    var kernels = KernelTable.best

    /// One option: its name, what its value is called (nil for none), what it does.
    private struct Entry {
        let name: StaticString
        let value: StaticString?
        let help: StaticString
    }

    private static let table: [Entry] = [
        Entry(name: "model", value: "FILE", help: "model made by quantize"),
        Entry(name: "vocab", value: "FILE", help: "vocabulary made by quantize vocab"),
        Entry(name: "image", value: "PATH", help: "a JPEG or PNG picture, or a folder of them"),
        Entry(name: "task", value: "NAME", help: "panoptic (default), semantic or instance"),
        Entry(name: "overlay", value: "PATH", help: "write the picture with its segments drawn and named, as PNG"),
        Entry(name: "labels", value: "PATH", help: "write the segments' ids as a 16-bit PNG"),
        Entry(name: "json", value: "PATH", help: "write one JSON object a picture; - is standard output, the default"),
        Entry(name: "threads", value: "N", help: "threads; default: one for each processor"),
        Entry(name: "isa", value: "NAME", help: "kernels to use instead of the best that this processor has"),
        Entry(name: "version", value: nil, help: "print version, kernels found and chosen"),
        Entry(name: "help", value: nil, help: "print this"),
    ]

    static let version = "0.1"

    /// What to do.
    enum Request {
        case segment(Options)
        /// Print this and end.
        case print(String)
    }

    /// - Throws: on unknown, missing or malformed options.
    static func parse(_ arguments: [String]) throws(Fault) -> Request {
        var options = Options()
        var given: [(index: Int, value: String)] = []
        var position = 1
        while position < arguments.count {
            let (index, inline) = try find(arguments[position])
            position += 1
            guard table[index].value != nil else {
                given.append((index, ""))
                continue
            }
            if let inline {
                given.append((index, inline))
            } else {
                guard position < arguments.count else { throw Fault("--\(table[index].name) needs a value; see --help") }
                given.append((index, arguments[position]))
                position += 1
            }
        }
        for (index, value) in given {
            switch index {
            case 0: options.model = value
            case 1: options.vocabulary = value
            case 2: options.image = value
            case 3: options.task = try task(value)
            case 4: options.overlay = value
            case 5: options.labels = value
            case 6: options.json = value
            case 7:
                guard let count = Int(value), (1...256).contains(count) else { throw Fault("--threads \(value): a number of 1...256 is expected") }
                options.threads = count
            case 8: options.kernels = try kernels(value)
            case 9: return .print(versionText)
            default: return .print(help)
            }
        }
        guard !given.isEmpty else { return .print(help) }
        guard !options.model.isEmpty else { throw Fault("--model is missing; see --help") }
        guard !options.vocabulary.isEmpty else { throw Fault("--vocab is missing; see --help") }
        guard !options.image.isEmpty else { throw Fault("--image is missing; see --help") }
        if options.overlay == nil, options.labels == nil, options.json == nil { options.json = "-" }
        return .segment(options)
    }

    /// The option that `argument` names, and its value if given as `--name=value`.
    private static func find(_ argument: String) throws(Fault) -> (Int, String?) {
        let bytes = Array(argument.utf8)
        guard bytes.count > 2, bytes[0] == 0x2D, bytes[1] == 0x2D else {
            if argument == "-h" { return (table.count - 1, nil) }
            throw Fault("\(argument): not an option; see --help")
        }
        let end = bytes.firstIndex(of: 0x3D) ?? bytes.count
        let name = String(decoding: bytes[2..<end], as: UTF8.self)
        for (index, entry) in table.enumerated() where "\(entry.name)" == name {
            guard end < bytes.count else { return (index, nil) }
            guard entry.value != nil else { throw Fault("--\(name) takes no value") }
            return (index, String(decoding: bytes[(end + 1)...], as: UTF8.self))
        }
        throw Fault("--\(name): no such option; see --help")
    }

    private static func task(_ name: String) throws(Fault) -> Task {
        switch name {
        case "panoptic": return .panoptic
        case "semantic": return .semantic
        case "instance": return .instance
        default: throw Fault("--task \(name): panoptic, semantic or instance is expected")
        }
    }

    private static func kernels(_ name: String) throws(Fault) -> KernelTable {
        guard let table = KernelTable.named(name) else { throw Fault("--isa \(name): no such kernels; there are \(kernelNames)") }
        guard table.isSupported else { throw Fault("--isa \(name): this processor cannot run these kernels") }
        return table
    }

    private static var kernelNames: String {
        var text = ""
        for table in KernelTable.all { text += (text.isEmpty ? "" : ", ") + "\(table.name)" }
        return text
    }

    private static var versionText: String {
        var text = "fcclip-edge \(version)\nkernels:"
        for table in KernelTable.all { text += " \(table.name)" + (table.isSupported ? "" : " (not on this processor)") }
        return text + "\nchosen: \(KernelTable.best.name)"
    }

    private static var help: String {
        var text = """
            Segments pictures into regions named by any words.

            usage: fcclip-edge --model M --vocab V --image PICTURE [options]

            """
        for entry in table {
            var left = "  --\(entry.name)"
            if let value = entry.value { left += " \(value)" }
            while left.utf8.count < 20 { left += " " }
            text += "\n\(left)\(entry.help)"
        }
        return text + """


            With a folder of pictures, --overlay and --labels name folders. Results go to standard output, everything else to standard
            error. Exit status: 0, or 1 after an error, said in one line.
            """
    }
}
