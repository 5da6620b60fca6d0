/// Uninitialised memory for trivial values that grows when more is needed and is freed with its owner; repeated sizes allocate nothing.
public struct GrowingBuffer<Element: BitwiseCopyable>: ~Copyable {
    public private(set) var base = UnsafeMutablePointer<Element>.allocate(capacity: 1)
    public private(set) var capacity = 1

    public init() {}

    /// Makes room for `count` values and keeps the first `kept`; the others become undefined.
    public mutating func reserve(_ count: Int, keeping kept: Int = 0) {
        guard count > capacity else { return }
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: count)
        larger.update(from: base, count: kept)
        base.deallocate()
        (base, capacity) = (larger, count)
    }

    deinit { base.deallocate() }
}
