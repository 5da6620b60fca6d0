import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import System

/// A picture, its truth and every candidate's prediction in one row.
struct SideBySide {
    private static let gap = 6
    let legend: Legend
    let matching: ClassMatching

    /// Draws `failure` and writes it as a PNG file.
    func write(_ failure: Evaluation.Failure, to path: String) throws(Fault) {
        let picture = try Picture.read(path: failure.path)
        let size = picture.size
        let predictions = failure.predictions.map { $0.panoptic ?? $0.semantic }
        let panels = [nil, segmentation(of: failure.truth, size: size)] + predictions
        let width = size.width * panels.count + Self.gap * (panels.count - 1)
        let row = Picture(size: Size(height: size.height, width: width))
        row.withPixels { $0.update(repeating: 255, count: row.byteCount) }
        for (index, segmentation) in panels.enumerated() {
            let panel = Picture(size: size)
            panel.withPixels { pixels in
                picture.withPixels { pixels.update(from: $0, count: picture.byteCount) }
                if let segmentation { Overlay.draw(segmentation, legend: legend, on: pixels) }
                row.withPixels { row in
                    for y in 0..<size.height {
                        let target = row + (y * width + index * (size.width + Self.gap)) * 3
                        target.update(from: pixels + y * size.width * 3, count: size.width * 3)
                    }
                }
            }
        }
        try row.withPixels { (pixels) throws(Fault) in try PNG.write(rgb: pixels, size: row.size, to: path) }
    }

    /// The truth as if a network had found it.
    private func segmentation(of truth: GroundTruth, size: Size) -> Segmentation? {
        var result = Segmentation(task: truth.panoptic == nil ? .semantic : .panoptic, size: size)
        var numbers: [UInt32: Int] = [:]
        var categories: [Int] = []
        var ids: [UInt32] = []
        if let map = truth.panoptic {
            ids = map.ids
            for segment in map.segments {
                numbers[segment.id] = categories.count
                categories.append(segment.category)
            }
        } else if let labels = truth.semantic {
            ids = labels.map { UInt32($0 + 1) }
            for category in matching.classes.indices { numbers[UInt32(category + 1)] = category }
            categories = Array(matching.classes.indices)
        } else {
            return nil
        }
        guard categories.count < Int(UInt16.max) else { return nil }
        var boxes = [(left: Int, top: Int, right: Int, bottom: Int, area: Int)](repeating: (Int.max, Int.max, -1, -1, 0), count: categories.count)
        for (pixel, id) in ids.enumerated() {
            guard id > 0, let number = numbers[id] else { continue }
            result.labels[pixel] = UInt16(number + 1)
            let x = pixel % size.width
            let y = pixel / size.width
            let box = boxes[number]
            boxes[number] = (min(box.left, x), min(box.top, y), max(box.right, x), max(box.bottom, y), box.area + 1)
        }
        for (number, category) in categories.enumerated() where boxes[number].area > 0 {
            let box = boxes[number]
            let found = matching.classes[category]
            result.segments.append(
                Segment(
                    id: number + 1, category: found.vocabulary, synonym: 0, isThing: found.isThing, score: 1, area: box.area,
                    box: Box(x: box.left, y: box.top, width: box.right - box.left + 1, height: box.bottom - box.top + 1)))
        }
        return result
    }
}
