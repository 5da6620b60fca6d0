import Kernels
import Runtime
import System

/// Multiply-adds a second of the kernels' own product instructions on registers alone, on all threads of `pool` at once: the best of
/// some short runs, as other programs can only take away from it.
public func measuredPeak(of kernels: KernelSet, on pool: ThreadPool) -> Double {
    let operands = UnsafeMutablePointer<Int8>.allocate(capacity: 256)
    let sums = UnsafeMutablePointer<Int32>.allocate(capacity: KernelSet.peakSums * pool.threads)
    let counts = UnsafeMutablePointer<Int>.allocate(capacity: pool.threads)
    defer {
        operands.deallocate()
        sums.deallocate()
        counts.deallocate()
    }
    for index in 0..<256 { operands[index] = Int8(truncatingIfNeeded: index * 37 % 255 - 127) }
    counts.initialize(repeating: 0, count: pool.threads)

    func run(_ rounds: Int) -> (milliseconds: Double, multiplyAdds: Int) {
        let start = monotonicMilliseconds()
        pool.run(pool.threads) { thread in counts[thread] = kernels.registerPeak(rounds: rounds, operands: operands, into: sums + thread * KernelSet.peakSums) }
        let milliseconds = monotonicMilliseconds() - start
        var total = 0
        for thread in 0..<pool.threads { total += counts[thread] }
        return (milliseconds, total)
    }
    // Long enough that starting the threads does not count, short enough to be left alone.
    var rounds = 1000
    while run(rounds).milliseconds < 10 { rounds *= 2 }
    var best = 0.0
    for _ in 0..<20 {
        let result = run(rounds)
        best = max(best, Double(result.multiplyAdds) / result.milliseconds * 1000)
    }
    return best
}
