import Kernels
import Network

/// The memory that pictures of one size need, in bytes, counted before any of it is taken.
public struct MemoryPlan: Sendable {
    /// Scratch memory of the frame.
    public let shared: Int
    /// Scratch memory of each thread.
    public let perThread: Int
    /// Memory of the result: the label map, and masks in instance mode.
    public let results: Int

    /// Nothing.
    static let none = MemoryPlan(shared: 0, perThread: 0, results: 0)

    /// All of it for `threads` threads.
    public func total(threads: Int) -> Int { shared + threads * perThread + results }
}

/// An arithmetic that can count the memory that its steps take.
public protocol CountingArithmetic: Arithmetic {
    /// Calls `work`, whose steps then compute nothing and read and write no scratch memory.
    ///
    /// - Returns: the most bytes taken at a time, of the scratch memory that all threads share and of a single thread's own.
    func count(_ work: () -> Void) -> (shared: Int, perThread: Int)
}

extension SegmentationEngine {
    /// The memory that pictures of `geometry` need: a dry run of the network and of the post-processing, which takes
    /// memory for the most segments that a picture can have. The next frame computes the tables for its size anew.
    public func plan(_ geometry: PictureGeometry, task: Task) -> MemoryPlan {
        let scratch = arithmetic.count {
            network.dryRun(size: geometry.inner, padded: geometry.padded, classifier: classifier) { prediction in
                segmenter.segment(prediction, classifier: classifier, geometry: geometry, task: task, into: &segmentation)
            }
        }
        let results = Segmentation.byteCount(geometry.picture, task: task, instances: segmenter.instanceCount)
        return MemoryPlan(shared: scratch.shared, perThread: scratch.perThread, results: results)
    }
}
