import Kernels

/// The kind of segments that a picture is divided into.
public enum Task {
    /// Every pixel belongs to at most one segment; things are counted, stuff is not.
    case panoptic
    /// Every pixel gets its most probable class; one segment a class.
    case semantic
    /// Things only, each with its own mask; masks may overlap.
    case instance
}

/// A box in pixels of the picture; `x`, `y` is its upper left corner.
public struct Box: Equatable {
    public let x, y, width, height: Int

    public init(x: Int, y: Int, width: Int, height: Int) {
        (self.x, self.y, self.width, self.height) = (x, y, width, height)
    }
}

/// One region of a picture.
public struct Segment {
    /// 1, 2, ...: the value of the segment's pixels in the label map.
    public let id: Int
    /// Index of the class in the vocabulary.
    public let category: Int
    /// Index of the best matching name (synonym) among the class's names.
    public let synonym: Int
    public let isThing: Bool
    /// Probability of the class, 0...1; in instance mode times the mask's mean probability.
    public let score: Float
    /// Pixels.
    public let area: Int
    public let box: Box

    public init(id: Int, category: Int, synonym: Int, isThing: Bool, score: Float, area: Int, box: Box) {
        (self.id, self.category, self.synonym, self.isThing) = (id, category, synonym, isThing)
        (self.score, self.area, self.box) = (score, area, box)
    }
}

/// The segments of one picture at the picture's own size.
public struct Segmentation {
    public var task: Task
    public var size: Size
    /// Segment id of every pixel, row-major; 0 where there is no segment. In instance mode the id of the pixel's
    /// segment with the highest score.
    public var labels: [UInt16]
    public var segments: [Segment]
    /// In instance mode, bit `i & 63` of word `i >> 6` of mask `n` is set where pixel `i` (row-major) belongs to
    /// `segments[n]`. Empty in the other modes, where a segment's pixels are those with its id in `labels`.
    public var masks: [[UInt64]]
    /// Masks of earlier pictures, whose memory is reused.
    private var spareMasks: [[UInt64]] = []

    public init(task: Task, size: Size) {
        self.task = task
        self.size = size
        labels = [UInt16](repeating: 0, count: size.area)
        segments = []
        masks = []
    }

    /// Bytes of the label map and, in instance mode, of the masks of `instances` segments.
    public static func byteCount(_ size: Size, task: Task, instances: Int) -> Int {
        MemoryLayout<UInt16>.stride * size.area + (task == .instance ? instances * ((size.area + 63) / 64) * MemoryLayout<UInt64>.stride : 0)
    }

    /// Removes all segments and sets the size. Keeps the memory where the size is the same.
    mutating func reset(task: Task, size: Size) {
        self.task = task
        if size.area == labels.count {
            for pixel in labels.indices { labels[pixel] = 0 }
        } else {
            labels = [UInt16](repeating: 0, count: size.area)
            spareMasks.removeAll()
            masks.removeAll()
        }
        self.size = size
        segments.removeAll(keepingCapacity: true)
        while let mask = masks.popLast() { spareMasks.append(mask) }
    }

    /// Becomes a copy of `other`. Reuses its own memory where the sizes are the same.
    public mutating func copy(_ other: Segmentation) {
        reset(task: other.task, size: other.size)
        labels.withUnsafeMutableBufferPointer { _ = $0.update(fromContentsOf: other.labels) }
        segments.append(contentsOf: other.segments)
        for mask in other.masks { mask.withUnsafeBufferPointer { appendMask($0.baseAddress!) } }
    }

    /// Appends a mask of `size.area` bits.
    mutating func appendMask(_ words: UnsafePointer<UInt64>) {
        var mask = spareMasks.popLast() ?? [UInt64](repeating: 0, count: (size.area + 63) / 64)
        for index in mask.indices { mask[index] = words[index] }
        masks.append(mask)
        // All masks may become spare.
        spareMasks.reserveCapacity(masks.capacity)
    }

    /// Whether pixel `pixel` (row-major index) belongs to `segments[index]`.
    public func contains(_ pixel: Int, segment index: Int) -> Bool {
        task == .instance ? masks[index][pixel >> 6] >> UInt64(pixel & 63) & 1 == 1 : Int(labels[pixel]) == segments[index].id
    }
}
