import CSystem
import Imaging
import Kernels
import Network
import System

/// What `fcclip-edge bench` is asked for.
struct BenchOptions {
    var model = ""
    var vocabulary = ""
    var image: String?
    /// Of the network's input; nil for what the model makes of the picture.
    var size: Size?
    var task = Task.panoptic
    var threads = processorCount()
    var kernels = KernelSet.best
    var frames = 10
    var json: String?
    var measuresKernels = false
    private var answer: String?

    private static let table = OptionTable<BenchOptions>(entries: [
        .init(name: "model", value: "FILE", help: "model made by quantize; default: as for fcclip-edge itself") { $0.model = $1 },
        .init(name: "vocab", value: "FILE", help: "vocabulary made by quantize vocab; default: the same") { $0.vocabulary = $1 },
        .init(name: "image", value: "FILE", help: "a JPEG or PNG picture; default: a pattern of the size") { $0.image = $1 },
        .init(name: "input-size", formerly: "size", value: "WxH", help: "of the network's input; default: 512x512, or with --image what the model makes of it")
        { (options, value) throws(Fault) in
            options.size = try OptionValue.size(value, of: "input-size")
        },
        .init(name: "task", value: "NAME", help: "panoptic (default), semantic or instance") { (options, value) throws(Fault) in
            options.task = try OptionValue.task(value)
        },
        .init(name: "threads", value: "N", help: "threads; default: one for each processor") { (options, value) throws(Fault) in
            options.threads = try OptionValue.number(value, of: "threads", in: 1...256)
        },
        .init(
            name: "instruction-set", formerly: "isa", value: "NAME", help: "kernels to use instead of the best that this processor runs; --version lists them"
        ) { (options, value) throws(Fault) in
            options.kernels = try OptionValue.kernels(value)
        },
        .init(name: "frames", value: "N", help: "frames to measure after one unmeasured; default: 10") { (options, value) throws(Fault) in
            options.frames = try OptionValue.number(value, of: "frames", in: 1...100_000)
        },
        .init(name: "json", value: "FILE", help: "write the measurements as one JSON object; - is standard output, without the table") { $0.json = $1 },
        .init(name: "kernels", value: nil, help: "time each kernel alone instead of a network") { (options, _) in options.measuresKernels = true },
        .init(name: "help", value: nil, help: "print this") { (options, _) in options.answer = help },
    ])

    /// What to do.
    enum Request {
        case measure(BenchOptions)
        /// Print this and end.
        case print(String)
    }

    /// - Parameter arguments: those after `bench`. - Throws: on unknown, missing or malformed options.
    static func parse(_ arguments: ArraySlice<String>) throws(Fault) -> Request {
        var options = BenchOptions()
        try table.read(arguments, into: &options)
        if let answer = options.answer ?? (arguments.isEmpty ? help : nil) { return .print(answer) }
        guard !options.measuresKernels else { return .measure(options) }
        try ModelPlaces.complete(model: &options.model, vocabulary: &options.vocabulary)
        return .measure(options)
    }

    private static var help: String {
        """
        Measures a network on this machine, stage by stage, against what its processor could reach.

        usage: fcclip-edge bench [--model M] [--vocab V] [options]
               fcclip-edge bench --kernels [--json FILE]

        """ + table.help
    }
}
