import CSystem
import Kernels
import System

/// The time that all threads together spend in GEMM kernels, and the multiply-adds that these perform.
final class GemmMeter: @unchecked Sendable {
    private let nanoseconds = UnsafeMutablePointer<Int64>.allocate(capacity: 2)
    private var multiplyAdds: UnsafeMutablePointer<Int64> { nanoseconds + 1 }

    init() {
        nanoseconds.initialize(repeating: 0, count: 2)
    }

    deinit {
        nanoseconds.deallocate()
    }

    /// Runs `perform`, which does `gemm`, on any thread.
    func measure(_ gemm: Gemm, _ perform: () -> Void) {
        let start = monotonicMilliseconds()
        perform()
        _ = system_atomic_add(nanoseconds, Int64((monotonicMilliseconds() - start) * 1_000_000))
        _ = system_atomic_add(multiplyAdds, Int64(gemm.rows * gemm.columns * gemm.taps * gemm.depth))
    }

    /// The sums since the last call, the time divided by `threads`.
    func take(threads: Int) -> Measure {
        defer {
            system_atomic_store(nanoseconds, 0)
            system_atomic_store(multiplyAdds, 0)
        }
        return Measure(
            milliseconds: Double(system_atomic_load(nanoseconds)) / 1_000_000 / Double(threads), multiplyAdds: Int(system_atomic_load(multiplyAdds)))
    }
}
