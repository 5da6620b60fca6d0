import CSystem
import Capture
import System

ProgramStart.prepare()
// Room for options, names and threads; models and pictures are counted on their own.
requireAddressSpace(16 << 20, orSay: "fcclip-edge: error: needs 16 MiB of address space to start; see ulimit -v\n")

do throws(Fault) {
    let arguments = try programArguments()
    if arguments.count > 1, arguments[1] == "bench" {
        switch try BenchOptions.parse(arguments.dropFirst(2)) {
        case .print(let text): try printLine(text)
        case .measure(let options): try runBenchmark(options)
        }
    } else {
        switch try Options.parse(arguments) {
        case .print(let text): try printLine(text)
        case .listCameras: for line in CameraList.describe(LinuxVideo()) { try printLine(line) }
        case .segment(let options): try run(options)
        }
    }
} catch {
    Log.write("fcclip-edge: error: \(error.message)")
    exit(1)
}

/// Pictures, or the stream that the options name.
func run(_ options: Options) throws(Fault) {
    if let layout = options.stdin {
        try StreamRun(options, name: "standard input").run { stop throws(Fault) in
            PipeSource("standard input", descriptor: STDIN_FILENO, layout: layout, stop: stop)
        }
    } else if let path = options.camera {
        try StreamRun(options, name: path).run { stop in CameraSource(LinuxVideo(), path: path, request: options.request, stop: stop) }
    } else {
        try PictureRun(options).run()
    }
}
