/// What a processor core has, to which kernels fit the sizes of their blocks and the order of their instructions. The results do not depend on it.
public struct Core: Sendable, Equatable {
    /// Bytes of the data cache of the first level; at least 8 KiB.
    public let firstLevel: Int
    /// Bytes of the cache of the second level, or the core's part of it if several share it; at least 64 KiB.
    public let secondLevel: Int
    /// Whether it issues instructions in the program's order, as Cortex-A53 and Cortex-A55 do.
    public let issuesInOrder: Bool

    public init(firstLevel: Int, secondLevel: Int, issuesInOrder: Bool) {
        (self.firstLevel, self.secondLevel) = (max(firstLevel, 8 << 10), max(secondLevel, 64 << 10))
        self.issuesInOrder = issuesInOrder
    }

    /// With the caches of the smallest cores in use.
    public static let small = Core(firstLevel: 32 << 10, secondLevel: 128 << 10, issuesInOrder: false)
}
