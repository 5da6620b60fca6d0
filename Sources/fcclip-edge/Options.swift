import Board
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
    /// To be printed instead of any work.
    private var answer: String?

    private static let table = OptionTable<Options>(entries: [
        .init(name: "model", value: "FILE", help: "model made by quantize") { $0.model = $1 },
        .init(name: "vocab", value: "FILE", help: "vocabulary made by quantize vocab") { $0.vocabulary = $1 },
        .init(name: "image", value: "PATH", help: "a JPEG or PNG picture, or a folder of them") { $0.image = $1 },
        .init(name: "task", value: "NAME", help: "panoptic (default), semantic or instance") { (options, value) throws(Fault) in
            options.task = try OptionValue.task(value)
        },
        .init(name: "overlay", value: "PATH", help: "write the picture with its segments drawn and named, as PNG") { $0.overlay = $1 },
        .init(name: "labels", value: "PATH", help: "write the segments' ids as a 16-bit PNG") { $0.labels = $1 },
        .init(name: "json", value: "PATH", help: "write one JSON object a picture; - is standard output, the default") { $0.json = $1 },
        .init(name: "threads", value: "N", help: "threads; default: one for each processor") { (options, value) throws(Fault) in
            options.threads = try OptionValue.number(value, of: "threads", in: 1...256)
        },
        .init(name: "isa", value: "NAME", help: "kernels to use instead of the best that this processor has") { (options, value) throws(Fault) in
            options.kernels = try OptionValue.kernels(value)
        },
        .init(name: "version", value: nil, help: "print version, kernels found and chosen") { (options, _) in options.answer = versionText },
        .init(name: "help", value: nil, help: "print this") { (options, _) in options.answer = help },
    ])

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
        try table.read(arguments.dropFirst(), into: &options)
        if let answer = options.answer ?? (arguments.count < 2 ? help : nil) { return .print(answer) }
        guard !options.model.isEmpty else { throw Fault("--model is missing; see --help") }
        guard !options.vocabulary.isEmpty else { throw Fault("--vocab is missing; see --help") }
        guard !options.image.isEmpty else { throw Fault("--image is missing; see --help") }
        if options.overlay == nil, options.labels == nil, options.json == nil { options.json = "-" }
        return .segment(options)
    }

    private static var versionText: String {
        var text = "fcclip-edge \(version)\nkernels:"
        for table in KernelTable.all { text += " \(table.name)" + (table.isSupported ? "" : " (not on this processor)") }
        return text + "\nchosen: \(KernelTable.best.name)"
    }

    private static var help: String {
        """
        Segments pictures into regions named by any words.

        usage: fcclip-edge --model M --vocab V --image PICTURE [options]
               fcclip-edge bench --help

        """ + table.help + """


        With a folder of pictures, --overlay and --labels name folders. Results go to standard output, everything else to standard
        error. Exit status: 0, or 1 after an error, said in one line.
        """
    }
}
