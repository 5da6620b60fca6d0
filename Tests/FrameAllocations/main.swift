import AllocationCounter
import Board
import Camera
import CBoard
import Kernels
import Network
import Runtime

/// Allocations of the first frame, and of the 20 after it.
func measure(_ arguments: [String]) throws(Fault) -> (first: Int, later: Int) {
    let tasks: [Task] = [.panoptic, .semantic, .instance]
    guard arguments.count == 6, let threads = Int(arguments[4]), let task = Int(arguments[5]), tasks.indices.contains(task) else {
        throw Fault("usage: FrameAllocations MODEL VOCABULARY PICTURE THREADS 0|1|2")
    }
    let engine = try Engine(model: arguments[1], vocabulary: arguments[2], kernels: .best, threads: threads)
    let preprocessor = Preprocessor(Preprocessing(shortestEdge: engine.model.shortestEdge, maximumSize: engine.model.longestEdge))
    let picture = try Picture.read(path: arguments[3])
    func frame() throws(Fault) {
        preprocessor.resize(picture)
        let geometry = PictureGeometry(picture: picture.size, inner: preprocessor.resizedSize, padded: preprocessor.paddedSize)
        try engine.prepare(geometry, task: tasks[task])
        _ = engine.segment(preprocessor.resized, geometry: geometry, task: tasks[task]) { _ in }
    }
    let start = allocation_count()
    try frame()
    let first = allocation_count()
    for _ in 0..<20 { try frame() }
    return (first - start, allocation_count() - first)
}

do throws(Fault) {
    let counts = try measure(try programArguments())
    answer("\(counts.first) \(counts.later)")
} catch {
    say("FrameAllocations: error: \(error.message)")
    exit(1)
}
