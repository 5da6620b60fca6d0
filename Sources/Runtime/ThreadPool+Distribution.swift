import CSystem

extension ThreadPool {
    /// Calls `body` with consecutive ranges that cover `0..<count`, several for each thread so that slow cores take
    /// fewer.
    public func ranges(_ count: Int, _ body: (Range<Int>) -> Void) {
        let pieces = min(count, threads == 1 ? 1 : threads * 4)
        run(pieces) { piece in
            body(count * piece / pieces..<count * (piece + 1) / pieces)
        }
    }

    /// Calls `body` with every index of `0..<count` and the slot, `0..<threads`, of the thread that takes it.
    ///
    /// No two threads have the same slot, so a slot can own scratch memory that is used as a stack. A nested call runs
    /// in its caller's slot.
    public func slots(_ count: Int, _ body: (_ index: Int, _ slot: Int) -> Void) {
        var next: Int64 = 0
        withUnsafeMutablePointer(to: &next) { next in
            run(min(threads, count)) { _ in
                let slot = slot
                while true {
                    let index = Int(system_atomic_add(next, 1))
                    guard index < count else { return }
                    body(index, slot)
                }
            }
        }
    }
}
