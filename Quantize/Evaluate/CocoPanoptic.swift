import Imaging
import Kernels
import Network
import System

/// A data set in COCO panoptic form: a JSON file, and a PNG for each picture whose pixels are ids, red + 256 green + 65536 blue.
public struct CocoPanoptic: Dataset {
    private struct Annotation: Decodable {
        struct Segment: Decodable {
            let id: Int
            let categoryId: Int
            let area: Int?
            let iscrowd: CocoFlag?

            enum CodingKeys: String, CodingKey {
                case id
                case categoryId = "category_id"
                case area, iscrowd
            }
        }

        let imageId: CocoID
        let fileName: String
        let segmentsInfo: [Segment]

        enum CodingKeys: String, CodingKey {
            case imageId = "image_id"
            case fileName = "file_name"
            case segmentsInfo = "segments_info"
        }
    }

    public let path: String
    public let pictures: [String]
    public let categories: [DatasetCategory]
    public let measures = Set(Measure.allCases)
    private let sizes: [Size?]
    public var files: [String] { [path] + pictures + annotations.map { maps + "/" + $0.fileName } }
    private let maps: String
    private let annotations: [Annotation]
    private let known: Set<Int>

    /// - Parameters:
    ///   - path: the JSON file.
    ///   - pictures: folder of the pictures that it names.
    ///   - maps: folder of the id maps; the JSON file's path without its ending where nil, as COCO has it.
    /// - Throws: when the JSON cannot be read, is of another form, or annotates a picture that it does not list.
    public init(path: String, pictures: String, maps: String? = nil) throws(Fault) {
        let file = try CocoFile<Annotation>.read(path, form: "COCO panoptic JSON")
        guard !file.annotations.isEmpty else { throw Fault("\(path): annotates no pictures") }
        var images: [CocoID: CocoFile<Annotation>.Image] = [:]
        for image in file.images { images[image.id] = image }
        var paths: [String] = []
        var sizes: [Size?] = []
        for annotation in file.annotations {
            guard let image = images[annotation.imageId] else { throw Fault("\(path): annotates picture \(annotation.imageId), which it does not list") }
            paths.append(pictures + "/" + image.fileName)
            sizes.append(image.size)
        }
        self.sizes = sizes
        self.path = path
        self.pictures = paths
        self.maps = maps ?? (path.hasSuffix(".json") ? String(path.dropLast(5)) : path)
        categories = file.datasetCategories
        annotations = file.annotations
        known = Set(categories.map(\.id))
    }

    public func announcedSizes(of index: Int) throws(Fault) -> [(source: String, size: Size)] {
        let map = maps + "/" + annotations[index].fileName
        return (sizes[index].map { [(path, $0)] } ?? []) + [(map, try Picture.size(path: map))]
    }

    public func truth(_ index: Int, size: Size, matching: ClassMatching) throws(Fault) -> GroundTruth {
        let annotation = annotations[index]
        let path = maps + "/" + annotation.fileName
        let (ids, areas) = try read(path, size: size)
        var segments: [PanopticMap.Segment] = []
        var seen = Set<UInt32>()
        var hidden = Set<UInt32>()
        for segment in annotation.segmentsInfo {
            guard let id = UInt32(exactly: segment.id), id > 0, id < 1 << 24 else {
                throw Fault("\(self.path): picture \(annotation.imageId): segment id \(segment.id) is not within 1...16777215")
            }
            guard seen.insert(id).inserted else { throw Fault("\(self.path): picture \(annotation.imageId): two segments have id \(id)") }
            guard known.contains(segment.categoryId) else {
                throw Fault("\(self.path): picture \(annotation.imageId): segment \(id) is of category \(segment.categoryId), which is not listed")
            }
            let area = segment.area ?? areas[id] ?? 0
            guard (1...size.area).contains(area), areas[id] ?? 0 <= area else {
                throw Fault("\(self.path): picture \(annotation.imageId): segment \(id) has \(area) pixels, its map \(areas[id] ?? 0) of \(size.area)")
            }
            guard let category = matching.ofCategory[segment.categoryId] else {
                hidden.insert(id)
                continue
            }
            segments.append(PanopticMap.Segment(id: id, category: category, isCrowd: segment.iscrowd?.isSet ?? false, area: area))
        }
        let visible = hidden.isEmpty ? ids : ids.map { hidden.contains($0) ? 0 : $0 }
        return GroundTruth(PanopticMap(size: size, ids: visible, segments: segments), things: matching.classes.map(\.isThing))
    }

    /// - Returns: id of every pixel, and pixels of every id.
    private func read(_ path: String, size: Size) throws(Fault) -> (ids: [UInt32], areas: [UInt32: Int]) {
        let map = try AnnotationMap.read(path, form: .colour, size: size)
        let ids = map.withPixels { pixels in
            (0..<size.area).map { UInt32(pixels[$0 * 3]) | UInt32(pixels[$0 * 3 + 1]) << 8 | UInt32(pixels[$0 * 3 + 2]) << 16 }
        }
        var areas: [UInt32: Int] = [:]
        var start = 0
        for pixel in ids.indices {
            if ids[pixel] != ids[start] {
                areas[ids[start], default: 0] += pixel - start
                start = pixel
            }
        }
        areas[ids[start], default: 0] += ids.count - start
        return (ids, areas)
    }
}
