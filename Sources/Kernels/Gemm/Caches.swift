/// The data caches of a core, in bytes, to which the sizes of blocks are fitted. The results do not depend on them.
public struct Caches: Sendable, Equatable {
    public var firstLevel: Int
    /// One core's part of a cache that several share.
    public var secondLevel: Int

    /// At least 8 KiB and 64 KiB.
    public init(firstLevel: Int, secondLevel: Int) {
        (self.firstLevel, self.secondLevel) = (max(firstLevel, 8 << 10), max(secondLevel, 64 << 10))
    }

    /// Those of the smallest cores in use, such as Cortex-A53 and Cortex-A55.
    public static let smallest = Caches(firstLevel: 32 << 10, secondLevel: 128 << 10)
}
