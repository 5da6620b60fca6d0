import Kernels
import System

/// A data set in COCO instance form: one JSON file with a mask, as polygons or run lengths, for each thing.
public struct CocoInstances: Dataset {
    private struct Annotation: Decodable {
        let imageId: CocoID
        let categoryId: Int
        let segmentation: CocoMask
        let area: Double?
        let iscrowd: CocoFlag?

        enum CodingKeys: String, CodingKey {
            case imageId = "image_id"
            case categoryId = "category_id"
            case segmentation, area, iscrowd
        }
    }

    public let path: String
    public let pictures: [String]
    public let categories: [DatasetCategory]
    public let measures: Set<Measure> = [.averagePrecision]
    public var files: [String] { [path] + pictures }
    private let sizes: [Size?]
    private let annotations: [[Annotation]]

    /// - Throws: when the JSON cannot be read, is of another form, or annotates a picture or names a category that it does not list.
    public init(path: String, pictures: String) throws(Fault) {
        let file = try CocoFile<Annotation>.read(path, form: "COCO instance JSON")
        var index: [CocoID: Int] = [:]
        for (position, image) in file.images.enumerated() { index[image.id] = position }
        let known = Set(file.categories.map(\.id))
        var annotations = [[Annotation]](repeating: [], count: file.images.count)
        for annotation in file.annotations {
            guard let position = index[annotation.imageId] else { throw Fault("\(path): annotates picture \(annotation.imageId), which it does not list") }
            guard known.contains(annotation.categoryId) else {
                throw Fault("\(path): picture \(annotation.imageId): an annotation is of category \(annotation.categoryId), which is not listed")
            }
            annotations[position].append(annotation)
        }
        self.path = path
        self.pictures = file.images.map { pictures + "/" + $0.fileName }
        sizes = file.images.map(\.size)
        categories = file.datasetCategories.map { DatasetCategory(id: $0.id, name: $0.name, isThing: true) }
        self.annotations = annotations
    }

    public func announcedSizes(of index: Int) -> [(source: String, size: Size)] {
        sizes[index].map { [(path, $0)] } ?? []
    }

    public func truth(_ index: Int, size: Size, matching: ClassMatching) throws(Fault) -> GroundTruth {
        var truths: [AveragePrecision.Truth] = []
        for annotation in annotations[index] {
            guard let category = matching.ofCategory[annotation.categoryId] else { continue }
            let mask = try annotation.segmentation.mask(size, place: "\(path): picture \(annotation.imageId)")
            truths.append(
                AveragePrecision.Truth(
                    category: category, isCrowd: annotation.iscrowd?.isSet ?? false, area: annotation.area ?? Double(mask.area), mask: mask))
        }
        return GroundTruth(instances: truths)
    }
}
