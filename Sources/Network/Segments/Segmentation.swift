import Kernels

/// Sizes of one picture on its way through the network.
public struct PictureGeometry: Equatable, Sendable {
    /// The picture's own size.
    public let picture: Size
    /// The picture's size after resizing for the network.
    public let inner: Size
    /// `inner`, padded on the right and below to multiples of 32: the network's input.
    public let padded: Size

    public init(picture: Size, inner: Size, padded: Size) {
        self.picture = picture
        self.inner = inner
        self.padded = padded
    }
}

/// Turns predictions into segments at the picture's own size (fcclip's `panoptic_inference`, `semantic_inference` and
/// `instance_inference`).
public struct Segmenter<A: Arithmetic> {
    /// Order of upsampling and scoring in the semantic task: scores of masks at the picture's size (the original with
    /// all tasks on), or scores at the network's size, then upsampled (the original with only the semantic task on).
    public enum SemanticOrder {
        case masksFirst, scoresFirst
    }

    public let arithmetic: A
    /// Least fraction of a mask's own area that a query must win in the panoptic argmax.
    public var overlapThreshold = 0.8
    /// The panoptic result leaves out queries with at most this score.
    public var scoreThreshold: Float = 0
    /// The most instances of a picture.
    public var instanceCount = 100
    public var semanticOrder = SemanticOrder.scoresFirst

    public init(_ arithmetic: A) {
        self.arithmetic = arithmetic
    }

    /// Writes the segments of `prediction` to `result`, whose memory is reused where it has the same size.
    public func segment(_ prediction: Prediction, classifier: Classifier, geometry: PictureGeometry, task: Task, into result: inout Segmentation) {
        let mark = arithmetic.mark()
        defer { arithmetic.release(mark) }
        arithmetic.compute { result.reset(task: task, size: geometry.picture) }
        switch task {
        case .panoptic: panoptic(prediction, classifier: classifier, geometry: geometry, into: &result)
        case .semantic: semantic(prediction, classifier: classifier, geometry: geometry, into: &result)
        case .instance: instances(prediction, classifier: classifier, geometry: geometry, into: &result)
        }
    }

    public func segment(_ prediction: Prediction, classifier: Classifier, geometry: PictureGeometry, task: Task) -> Segmentation {
        var result = Segmentation(task: task, size: geometry.picture)
        segment(prediction, classifier: classifier, geometry: geometry, task: task, into: &result)
        return result
    }

    /// Rows of the picture in one piece of work.
    public static var bandRows: Int { 16 }

    func upsampler(_ prediction: Prediction, geometry: PictureGeometry, output: Size? = nil) -> MaskUpsampler {
        MaskUpsampler(maskSize: prediction.maskSize, padded: geometry.padded, inner: geometry.inner, output: output ?? geometry.picture, arithmetic)
    }

    /// The class's name that matched best, by the classifier with the larger weight in the ensemble.
    func synonym(query: Int, category: Int, prediction: Prediction, classifier: Classifier) -> Int {
        let similarities = classifier.isSeen[category] ? prediction.inVocabulary : prediction.outOfVocabulary
        let names = classifier.names[category]
        var best = names.lowerBound
        for name in names where similarities[query, name] > similarities[query, best] { best = name }
        return best - names.lowerBound
    }
}

/// Area and bounding box of a segment, collected run by run.
struct Extent {
    var area = 0
    private var left = Int.max, right = -1, top = Int.max, bottom = -1

    /// The pixels `columns`, at least one, of row `y`.
    mutating func add(_ columns: Range<Int>, y: Int) {
        area += columns.count
        left = min(left, columns.lowerBound)
        right = max(right, columns.upperBound - 1)
        top = min(top, y)
        bottom = max(bottom, y)
    }

    mutating func add(_ other: Extent) {
        area += other.area
        left = min(left, other.left)
        right = max(right, other.right)
        top = min(top, other.top)
        bottom = max(bottom, other.bottom)
    }

    var box: Box {
        area == 0 ? Box(x: 0, y: 0, width: 0, height: 0) : Box(x: left, y: top, width: right - left + 1, height: bottom - top + 1)
    }
}

extension Segmenter {
    /// Calls `body` with the number and the rows of each band of `bandRows` rows, on several threads.
    func bands(of size: Size, _ body: (Int, Range<Int>) -> Void) {
        arithmetic.parallel(Self.bandCount(size)) { bands in
            for band in bands { body(band, band * Self.bandRows..<min((band + 1) * Self.bandRows, size.height)) }
        }
    }

    static func bandCount(_ size: Size) -> Int { (size.height + bandRows - 1) / bandRows }

    /// Calls `body` with each run of equal labels of row `y`.
    @inline(__always)
    func runs(_ y: Int, of labels: UnsafePointer<UInt16>, width: Int, _ body: (UInt16, Range<Int>) -> Void) {
        let row = labels + y * width
        var start = 0
        while start < width {
            let label = row[start]
            var end = start + 1
            while end < width, row[end] == label { end += 1 }
            body(label, start..<end)
            start = end
        }
    }

    /// Room for the extents of up to `capacity` segments in each band of a picture of `size`.
    func extentList(_ size: Size, capacity: Int) -> ScratchList<Extent> {
        arithmetic.list(of: Extent.self, capacity: Self.bandCount(size) * capacity)
    }

    /// Extents of segments 1...count of the label map: the first `count` of `extents`.
    func findExtents(_ segmentation: Segmentation, count: Int, into extents: inout ScratchList<Extent>) {
        let size = segmentation.size
        let bands = Self.bandCount(size)
        extents.fill(Extent(), count: bands * count)
        nonisolated(unsafe) let base = extents.base
        segmentation.labels.withUnsafeBufferPointer { buffer in
            nonisolated(unsafe) let labels = buffer.baseAddress!
            self.bands(of: size) { band, rows in
                for y in rows {
                    runs(y, of: labels, width: size.width) { label, columns in
                        if label > 0 { base[band * count + Int(label) - 1].add(columns, y: y) }
                    }
                }
            }
        }
        for band in 1..<bands {
            for index in 0..<count { base[index].add(base[band * count + index]) }
        }
    }
}

/// A query with one of its classes, which may become a segment.
struct SegmentCandidate {
    let query, category: Int
    /// Probability of the class, 0...1.
    let score: Float
}
