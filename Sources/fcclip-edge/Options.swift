import Board
import Camera
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
    /// Destinations, see `LineOutput`.
    var json: [String] = []
    var masks = true
    /// What standard input holds, if frames come from there.
    var stdin: FrameLayout?
    var everyFrame = false
    /// Files that stay in a folder of overlays or label maps; nil for all.
    var keep: Int?
    var threads = processorCount()
    var kernels = KernelTable.best
    /// To be printed instead of any work.
    private var answer: String?

    private static let table = OptionTable<Options>(entries: [
        .init(name: "model", value: "FILE", help: "model made by quantize") { $0.model = $1 },
        .init(name: "vocab", value: "FILE", help: "vocabulary made by quantize vocab") { $0.vocabulary = $1 },
        .init(name: "image", value: "PATH", help: "a JPEG or PNG picture, a folder of them, or a .txt file with a path a line") { $0.image = $1 },
        .init(name: "stdin", value: "FORMAT:WxH", help: "raw frames: yuv420, nv12, yuyv, rgb24 or grey; or mjpeg, JPEG pictures in a row") { (options, value) throws(Fault) in
            options.stdin = try FrameLayout(value, option: "stdin")
        },
        .init(name: "every-frame", value: nil, help: "let the pipe wait instead of skipping frames for fresher ones") { (options, _) in options.everyFrame = true },
        .init(name: "task", value: "NAME", help: "panoptic (default), semantic or instance") { (options, value) throws(Fault) in
            options.task = try OptionValue.task(value)
        },
        .init(name: "overlay", value: "PATH", help: "write the picture with its segments drawn and named, as PNG") { $0.overlay = $1 },
        .init(name: "labels", value: "PATH", help: "write the segments' ids as a 16-bit PNG") { $0.labels = $1 },
        .init(name: "keep", value: "N", help: "of a stream's overlays and label maps, keep the newest N") { (options, value) throws(Fault) in
            options.keep = try OptionValue.number(value, of: "keep", in: 1...1_000_000)
        },
        .init(name: "json", value: "PATH", help: "write one JSON object a picture; - (default) or udp://ADDRESS:PORT; may be repeated") { $0.json.append($1) },
        .init(name: "no-masks", value: nil, help: "leave masks (rle) out of the JSON") { (options, _) in options.masks = false },
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
        guard options.image.isEmpty != (options.stdin == nil) else {
            throw Fault(options.image.isEmpty ? "--image or --stdin is missing; see --help" : "--image and --stdin: only one source at a time")
        }
        if options.overlay == nil, options.labels == nil, options.json.isEmpty { options.json = ["-"] }
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

        usage: fcclip-edge --model M --vocab V --image PICTURE | --stdin FORMAT:WxH [options]
               fcclip-edge bench --help

        """ + table.help + """


        With many pictures or a stream, --overlay and --labels name folders. Results go to standard output, everything else to standard
        error. Exit status: 0, or 1 after an error, said in one line.
        """
    }
}
