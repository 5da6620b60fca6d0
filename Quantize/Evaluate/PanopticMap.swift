import Kernels
import Network

/// Segments of one picture that do not overlap, as COCO panoptic keeps them: an id for every pixel, and what the ids are.
public struct PanopticMap {
    public struct Segment: Equatable {
        /// 1...; the value of its pixels.
        public let id: UInt32
        /// Index of its class.
        public let category: Int
        /// A group of things annotated as one: counts neither as found nor as missed.
        public let isCrowd: Bool
        /// Pixels, as the data set states them.
        public let area: Int

        public init(id: UInt32, category: Int, isCrowd: Bool = false, area: Int) {
            self.id = id
            self.category = category
            self.isCrowd = isCrowd
            self.area = area
        }
    }

    public let size: Size
    /// Row-major; 0 is void.
    public let ids: [UInt32]
    public let segments: [Segment]

    /// - Precondition: `ids.count == size.area`; the ids of `segments` differ.
    public init(size: Size, ids: [UInt32], segments: [Segment]) {
        precondition(ids.count == size.area)
        self.size = size
        self.ids = ids
        self.segments = segments
    }

    /// What a network found, its classes renumbered by `classes` (by index in the vocabulary); a class that has none becomes void.
    public init(_ segmentation: Segmentation, classes: [Int?]) {
        var ids = [UInt32](repeating: 0, count: segmentation.segments.count + 1)
        var segments: [Segment] = []
        for segment in segmentation.segments {
            guard let category = classes[segment.category] else { continue }
            ids[segment.id] = UInt32(segment.id)
            segments.append(Segment(id: UInt32(segment.id), category: category, area: segment.area))
        }
        self.init(size: segmentation.size, ids: segmentation.labels.map { ids[Int($0)] }, segments: segments)
    }
}
