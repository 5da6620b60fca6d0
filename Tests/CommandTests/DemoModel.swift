import Calibrate
import Evaluate
import Foundation
import Imaging
import Kernels
import Network
import TestSupport

/// The trained demo model that the repository ships, and its annotated pictures.
enum DemoModel {
    static let folder = Fixture.repository + "/Calibration/Demo"
    static let tokenizer = Fixture.repository + "/Calibration/DemoModel/merges.txt"

    static func path(_ name: String) -> String { folder + "/" + name }

    /// Of `Calibration/Scenes`, with the truth about its segments, in COCO's panoptic form.
    struct AnnotatedPicture {
        let name: String
        let size: Size
        let segments: [Segment]
        /// Segment number of every pixel, row by row.
        let ids: [UInt8]

        func mask(of segment: Segment) -> BitMask {
            var mask = BitMask(size: size)
            for (pixel, id) in ids.enumerated() where id == segment.id { mask.insert(pixel) }
            return mask
        }
    }

    struct Segment: Decodable {
        let id: Int
        let category_id: Int
        /// The name that a person would type for it.
        let phrase: String
    }

    private struct Annotations: Decodable {
        struct Image: Decodable {
            let id: Int
            let file_name: String
        }

        struct Annotation: Decodable {
            let image_id: Int
            let file_name: String
            let segments_info: [Segment]
        }

        struct Category: Decodable {
            let id: Int
            let name: String
            let supercategory: String
        }

        let images: [Image]
        let annotations: [Annotation]
        let categories: [Category]
    }

    private static func annotations() throws -> Annotations {
        try JSONDecoder().decode(Annotations.self, from: Data(contentsOf: URL(filePath: path("panoptic.json"))))
    }

    /// Ids of the categories that the mask decoder was never trained on.
    static func unseen() throws -> Set<Int> {
        Set(try annotations().categories.filter { $0.supercategory == "unseen" }.map(\.id))
    }

    static func pictures() throws -> [AnnotatedPicture] {
        let all = try annotations()
        return try zip(all.images, all.annotations).map { image, annotation in
            precondition(image.id == annotation.image_id)
            // Ids below 256 are in the first channel.
            let map = try Picture.read(path: path("panoptic/" + annotation.file_name))
            return AnnotatedPicture(
                name: image.file_name, size: map.size, segments: annotation.segments_info,
                ids: map.withPixels { pixels in (0..<map.size.area).map { pixels[3 * $0] } })
        }
    }
}
