import CSystem
import Capture
import Imaging
import Kernels
import Network
import Runtime
import Sinks
import System

/// The options of the command line.
struct Options: NetworkOptions {
    var model = ""
    var vocabulary = ""
    var image = ""
    var task = Task.panoptic
    var overlay: String?
    var labels: String?
    var logits: String?
    /// Destinations, see `SinkFactory`.
    var json: [String] = []
    var masks = true
    /// Whether tables are printed on standard output.
    var table = false
    /// What standard input holds, if frames come from there.
    var stdin: FrameLayout?
    /// The device that frames come from, if one is named, and the mode to request from it.
    var camera: String?
    var request = CameraRequest()
    var listsCameras = false
    var everyFrame = false
    var trigger: PinName?
    var heartbeat: PinName?
    var alarms: [AlarmRule] = []
    /// Whether the alarms' lines are high while the camera is lost.
    var alarmsHighWhenLost = false
    /// Files of options that were read.
    var configs: [String] = []
    var report = false
    /// The number of files that are kept in a folder of overlays or label maps; nil for all.
    var keep: Int?
    var threads = processorCount()
    var kernels = KernelSet.best
    /// A text to print instead of any work.
    private var answer: String?

    private static let table = OptionTable<Options>(entries: [
        .init(name: "model", value: "FILE", help: "model made by quantize; default: model.gguf, see below") { $0.model = $1 },
        .init(name: "vocab", value: "FILE", help: "vocabulary made by quantize vocab; default: vocabulary.gguf, see below") { $0.vocabulary = $1 },
        .init(name: "image", value: "PATH", help: "a JPEG or PNG picture, a folder of them, or a .txt file with one path on each line") { $0.image = $1 },
        .init(
            name: "stdin", value: "FORMAT:WxH",
            help: "raw frames: yuv420, nv12, yuyv, rgb24 or grey, optionally with :stride=BYTES; or mjpeg, JPEG pictures one after another"
        ) { (options, value) throws(Fault) in
            options.stdin = try FrameLayout(value, option: "stdin")
        },
        .init(name: "camera", value: "DEVICE", help: "a V4L2 camera, as in /dev/video0") { $0.camera = $1 },
        .init(name: "capture-size", formerly: "size", value: "WxH", help: "of the camera's frames; default: 640x480; the program uses the closest mode") {
            (options, value) throws(Fault) in
            options.request.size = try OptionValue.size(value, of: "capture-size")
        },
        .init(name: "fps", value: "N", help: "frames a second to request from the camera") { (options, value) throws(Fault) in
            options.request.framesPerSecond = try OptionValue.number(value, of: "fps", in: 1...1000)
        },
        .init(name: "format", value: "NAME", help: "of the camera's frames: nv12, yuv420, yuyv, rgb24, mjpeg or grey; default: the best it has") {
            (options, value) throws(Fault) in
            guard let format = FrameFormat.named(value) else { throw Fault("--format \(value): nv12, yuv420, yuyv, rgb24, mjpeg or grey is expected") }
            options.request.format = format
        },
        .init(name: "list-cameras", value: nil, help: "print cameras and their modes") { (options, _) in options.listsCameras = true },
        .init(
            name: "every-frame", value: nil,
            help: "process every frame: the source waits for the network and for every output, instead of frames and results being skipped"
        ) { (options, _) in options.everyFrame = true },
        .task,
        .init(name: "overlay", value: "PATH", help: "write the picture with its segments drawn and named, as PNG") { $0.overlay = $1 },
        .init(name: "labels", value: "PATH", help: "write the segments' ids as a 16-bit PNG") { $0.labels = $1 },
        .init(name: "logits", value: "PATH", help: "write the network's mask logits as a NumPy array (.npy) of queries x rows x columns; with --image only") {
            $0.logits = $1
        },
        .init(name: "keep", value: "N", help: "of a stream's overlays and label maps, keep the newest N") { (options, value) throws(Fault) in
            options.keep = try OptionValue.number(value, of: "keep", in: 1...1_000_000)
        },
        .init(name: "json", value: "PATH", help: "write one JSON object for each picture to a file, - (default) or udp://ADDRESS:PORT; may be repeated") {
            $0.json.append($1)
        },
        .init(name: "table", value: nil, help: "print a table of the segments instead of JSON; the default for one picture on a terminal") {
            (options, _) in options.table = true
        },
        .init(name: "no-masks", value: nil, help: "leave masks (rle) out of the JSON") { (options, _) in options.masks = false },
        .init(name: "trigger", value: "LINE", help: "segment one frame at each rising edge of a GPIO line: its name, or CHIP:OFFSET") {
            (options, value) throws(Fault) in
            options.trigger = try PinName(value, option: "trigger")
        },
        .init(
            name: "alarm", value: "LINE:NAME[:AREA]",
            help: "set a GPIO line high while a segment of that name covers that fraction of the picture; may be repeated"
        ) { (options, value) throws(Fault) in
            options.alarms.append(try AlarmRule(value))
        },
        .init(name: "alarm-when-lost", value: "LEVEL", help: "level of the alarms' lines while the camera is lost: low (default) or high") {
            (options, value) throws(Fault) in
            guard value == "low" || value == "high" else { throw Fault("--alarm-when-lost \(value): low or high is expected") }
            options.alarmsHighWhenLost = value == "high"
        },
        .init(name: "heartbeat", value: "LINE", help: "change the level of a GPIO line with every segmented frame") { (options, value) throws(Fault) in
            options.heartbeat = try PinName(value, option: "heartbeat")
        },
        .init(name: "report", value: nil, help: "at a stream's end, print times of all stages, the machine's state and advice") { (options, _) in
            options.report = true
        },
        .init(name: "config", value: "FILE", help: "read options from a file, one on each line; a later option replaces an earlier one") {
            (options, value) throws(Fault) in
            try options.read(config: value)
        },
        .threads,
        .instructionSet,
        .init(name: "version", value: nil, help: "print the version and the kernels: all, and the chosen ones") { (options, _) in options.answer = versionText
        },
        .init(name: "help", value: nil, help: "print this") { (options, _) in options.answer = help },
    ])

    /// What to do.
    enum Request {
        case segment(Options)
        case listCameras
        /// Print this and end.
        case print(String)
    }

    /// - Throws: on unknown, missing or malformed options.
    static func parse(_ arguments: [String]) throws(Fault) -> Request {
        var options = Options()
        try table.read(arguments.dropFirst(), into: &options)
        if let answer = options.answer ?? (arguments.count < 2 ? help : nil) { return .print(answer) }
        if options.listsCameras { return .listCameras }
        try options.checkSource()
        try ModelPlaces.complete(model: &options.model, vocabulary: &options.vocabulary)
        return .segment(options)
    }

    /// - Throws: when there is not exactly one source, or an option does not apply to it.
    private func checkSource() throws(Fault) {
        let sources = (image.isEmpty ? 0 : 1) + (stdin == nil ? 0 : 1) + (camera == nil ? 0 : 1)
        guard sources > 0 else { throw Fault("--image, --camera or --stdin is missing; see --help") }
        guard sources == 1 else { throw Fault("--image, --camera, --stdin: only one source at a time") }
        guard image.isEmpty || (trigger == nil && heartbeat == nil && alarms.isEmpty) else {
            throw Fault("--trigger, --alarm and --heartbeat go with --camera or --stdin")
        }
        guard logits == nil || !image.isEmpty else { throw Fault("--logits goes with --image") }
        guard trigger == nil || !everyFrame else { throw Fault("--trigger and --every-frame exclude each other") }
    }

    /// Applies a file's options. - Throws: with file and line.
    private mutating func read(config path: String) throws(Fault) {
        configs.append(path)
        for line in try ConfigFile(path: path).lines {
            do throws(Fault) {
                guard line.words[0] != "--config" else { throw Fault("--config: a file of options cannot name another") }
                try Options.table.read(line.words[...], into: &self)
            } catch {
                throw Fault("\(path), line \(line.number): \(error.message)")
            }
        }
    }

    private static var versionText: String {
        var text = "fcclip-edge \(ProgramVersion.text)\nkernels:"
        for table in KernelSet.all { text += " \(table.name)" + (table.isSupported ? "" : " (not on this processor)") }
        return text + "\nchosen: \(KernelSet.best.name)"
    }

    private static var help: String {
        """
        Open-vocabulary panoptic segmentation: name any classes, get a mask for each region.

        usage: fcclip-edge --image PICTURE | --camera DEVICE | --stdin FORMAT:WxH [--model M] [--vocab V] [options]
               fcclip-edge bench --help

        """ + table.help + """


            Without --model or --vocab, model.gguf and vocabulary.gguf are looked for in the program's folder, the working folder,
            $XDG_DATA_HOME/fcclip-edge (default: ~/.local/share/fcclip-edge), /usr/local/share/fcclip-edge and /usr/share/fcclip-edge.

            With many pictures or a stream, --overlay, --labels and --logits name folders. Results go to standard output, everything else to standard
            error. Exit status: 0, or 1 after an error, which is printed in one line.
            """
    }
}
