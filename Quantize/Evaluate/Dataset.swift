import Imaging
import Kernels
import System

/// Annotated pictures in one of the forms that data sets come in.
public protocol Dataset {
    /// Where the annotations come from, for faults and the report.
    var path: String { get }
    /// Paths of the pictures, in the data set's order.
    var pictures: [String] { get }
    /// The sizes of picture `index` that its annotations state: the file of annotations, the map.
    /// - Throws: when a map cannot be read.
    func announcedSizes(of index: Int) throws(Fault) -> [(source: String, size: Size)]
    /// Paths of all files that belong to it: pictures, annotations, maps.
    var files: [String] { get }
    /// What its segments can be.
    var categories: [DatasetCategory] { get }
    /// What the annotations suffice for.
    var measures: Set<Measure> { get }

    /// The annotations of picture `index`, which is of `size`, by the classes of `matching`; what has none becomes void.
    /// - Throws: when they are absent, damaged, contradict themselves or are of another size.
    func truth(_ index: Int, size: Size, matching: ClassMatching) throws(Fault) -> GroundTruth
}

extension Dataset {
    /// - Throws: when picture `index` cannot be read or is of another size than the annotations are made for.
    public func checkSize(of index: Int) throws(Fault) {
        let size = try Picture.size(path: pictures[index])
        for (source, announced) in try announcedSizes(of: index) where announced != size {
            throw Fault("\(source): \(pictures[index]) is annotated as \(announced.width) x \(announced.height) pixels but has \(size.width) x \(size.height)")
        }
    }
}

/// A category as its data set describes it.
public struct DatasetCategory: Equatable {
    public let id: Int
    public let name: String
    /// Nil where the data set does not state it.
    public let isThing: Bool?

    public init(id: Int, name: String, isThing: Bool?) {
        self.id = id
        self.name = name
        self.isThing = isThing
    }
}

public enum Measure: CaseIterable {
    case panopticQuality, intersectionOverUnion, averagePrecision
}

/// Annotations of one picture, one member for each measure that they suffice for.
public struct GroundTruth {
    public var panoptic: PanopticMap?
    /// Class of every pixel, row-major, negative where it is void.
    public var semantic: [Int32]?
    public var instances: [AveragePrecision.Truth]?

    public init(panoptic: PanopticMap? = nil, semantic: [Int32]? = nil, instances: [AveragePrecision.Truth]? = nil) {
        self.panoptic = panoptic
        self.semantic = semantic
        self.instances = instances
    }

    /// All three from one panoptic map; its segments of `things` are the instances.
    public init(_ map: PanopticMap, things: [Bool]) {
        var index: [UInt32: Int] = [:]
        for (position, segment) in map.segments.enumerated() { index[segment.id] = position }
        var semantic = [Int32](repeating: -1, count: map.size.area)
        var masks: [Int: BitMask] = [:]
        for (position, segment) in map.segments.enumerated() where things[segment.category] { masks[position] = BitMask(size: map.size) }
        var last: UInt32 = 0
        var current: Int?
        for (pixel, id) in map.ids.enumerated() {
            if id != last {
                last = id
                current = index[id]
            }
            guard id != 0, let current else { continue }
            semantic[pixel] = Int32(map.segments[current].category)
            masks[current]?.insert(pixel)
        }
        let instances = masks.keys.sorted().map { position in
            let segment = map.segments[position]
            return AveragePrecision.Truth(category: segment.category, isCrowd: segment.isCrowd, area: Double(segment.area), mask: masks[position]!)
        }
        self.init(panoptic: map, semantic: semantic, instances: instances)
    }
}
