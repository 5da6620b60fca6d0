import Board
import CBoard

do throws(Fault) {
    let arguments = try programArguments()
    if arguments.count > 1, arguments[1] == "bench" {
        switch try BenchOptions.parse(arguments.dropFirst(2)) {
        case .print(let text): answer(text)
        case .measure(let options): try runBenchmark(options)
        }
    } else {
        switch try Options.parse(arguments) {
        case .print(let text): answer(text)
        case .segment(let options): try PictureRun(options).run()
        }
    }
} catch {
    say("fcclip-edge: error: \(error.message)")
    exit(1)
}
