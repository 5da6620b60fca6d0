import Benchmark
import CSystem
import Imaging
import Kernels
import System

/// Runs the benchmark that the options choose, then prints and writes the result.
func runBenchmark(_ options: BenchOptions) throws(Fault) {
    var claims = FileClaims()
    claims.read(options.model, as: "--model")
    claims.read(options.vocabulary, as: "--vocab")
    if let image = options.image { claims.read(image, as: "--image") }
    if let json = options.json, json != "-" { claims.write(json, as: "--json") }
    try claims.check()
    // Opened first: a file that cannot be written is reported before the measurements.
    let file: AtomicFile? = if let path = options.json, path != "-" { try AtomicFile(path: path) } else { nil }
    let text: String
    let json: [UInt8]
    if options.measuresKernels {
        let report = KernelBenchmark()
        (text, json) = (report.text, report.json)
    } else {
        let size = options.size ?? Size(height: 512, width: 512)
        let benchmark = try NetworkBenchmark(model: options.model, vocabulary: options.vocabulary, kernels: options.kernels, threads: options.threads)
        let picture: Picture = if let path = options.image { try Picture.read(path: path) } else { Picture.pattern(size) }
        let report = try benchmark.run(picture, input: options.image == nil ? size : options.size, task: options.task, frames: options.frames)
        (text, json) = (benchmark.text(report), benchmark.json(report))
    }
    if let file {
        try file.write(json)
        try file.commit()
    }
    let output = options.json == "-" ? json : Array(text.utf8)
    guard output.withUnsafeBytes({ writeAll($0, to: STDOUT_FILENO) }) else { throw Fault("standard output: cannot be written: \(systemError())") }
}
