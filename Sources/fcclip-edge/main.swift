import Board
import CBoard

do throws(Fault) {
    switch try Options.parse(try programArguments()) {
    case .print(let text): answer(text)
    case .segment(let options): try PictureRun(options).run()
    }
} catch {
    say("fcclip-edge: error: \(error.message)")
    exit(1)
}
