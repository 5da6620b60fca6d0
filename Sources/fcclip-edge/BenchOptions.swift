import CSystem
import Imaging
import Kernels
import Network
import System

/// The options of `fcclip-edge bench`.
struct BenchOptions: NetworkOptions {
    var model = ""
    var vocabulary = ""
    var image: String?
    /// Of the network's input; nil for the size that the model resizes the picture to.
    var size: Size?
    var task = Task.panoptic
    var threads = processorCount()
    var kernels = KernelSet.best
    var frames = 10
    var json: String?
    var measuresKernels = false
    private var answer: String?

    private static let table = OptionTable<BenchOptions>(entries: [
        .init(name: "model", value: "FILE", help: "model made by quantize; default: the same as fcclip-edge") { $0.model = $1 },
        .init(name: "vocab", value: "FILE", help: "vocabulary made by quantize vocab; default: the same") { $0.vocabulary = $1 },
        .init(name: "image", value: "FILE", help: "a JPEG or PNG picture; default: a generated pattern of the input's size") { $0.image = $1 },
        .init(
            name: "input-size", formerly: "size", value: "WxH",
            help: "of the network's input; default: 512x512, with --image the size that the model resizes it to"
        ) { (options, value) throws(Fault) in
            options.size = try OptionValue.size(value, of: "input-size")
        },
        .task,
        .threads,
        .instructionSet,
        .init(name: "frames", value: "N", help: "frames to measure after one warm-up frame; default: 10") { (options, value) throws(Fault) in
            options.frames = try OptionValue.number(value, of: "frames", in: 1...100_000)
        },
        .init(name: "json", value: "FILE", help: "write the measurements as one JSON object; - writes it to standard output instead of the table") {
            $0.json = $1
        },
        .init(name: "kernels", value: nil, help: "time each kernel by itself instead of a network") { (options, _) in options.measuresKernels = true },
        .init(name: "help", value: nil, help: "print this help") { (options, _) in options.answer = help },
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
        Measures a network on this machine, stage by stage, and compares each with the peak of the processor.

        usage: fcclip-edge bench [--model M] [--vocab V] [options]
               fcclip-edge bench --kernels [--json FILE]

        """ + table.help
    }
}
