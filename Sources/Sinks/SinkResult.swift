import Imaging
import Kernels
import ModelFormat
import Network

/// All that a run knows about one picture or frame. Each sink reads the parts that its `needs` name; the others may be empty.
public struct SinkResult {
    public var segmentation: Segmentation
    public var legend: Legend
    /// The picture's path as given, or what the stream is called.
    public var picture: String
    /// Number, time of capture and age; nil for pictures.
    public var frame: SegmentsRecord.Frame?
    /// From the picture to its segments.
    public var totalMilliseconds: Double
    /// The JSON line with its line feed, as UTF-8.
    public var line: [UInt8] = []
    /// The whole picture as RGB8, of `segmentation.size`.
    public var canvas: Picture?

    public init(
        _ segmentation: Segmentation, legend: Legend, picture: String, frame: SegmentsRecord.Frame? = nil, totalMilliseconds: Double, canvas: Picture? = nil
    ) {
        self.segmentation = segmentation
        self.legend = legend
        self.picture = picture
        self.frame = frame
        self.totalMilliseconds = totalMilliseconds
        self.canvas = canvas
    }

    /// A place that results are copied into.
    init() {
        self.init(Segmentation(task: .panoptic, size: Size(height: 0, width: 0)), legend: Legend([]), picture: "", totalMilliseconds: 0)
    }

    /// Copies the parts that `needs` names, but the canvas, into memory of its own, which is used again for results of the same size.
    mutating func copy(_ other: SinkResult, _ needs: SinkNeeds) {
        picture = other.picture
        frame = other.frame
        totalMilliseconds = other.totalMilliseconds
        if needs.contains(.segmentation) {
            segmentation.copy(other.segmentation)
            legend = other.legend
        }
        if needs.contains(.line) {
            line.removeAll(keepingCapacity: true)
            // With room for a line that is a little longer.
            if line.capacity < other.line.count { line.reserveCapacity(other.line.count + other.line.count / 2) }
            line.append(contentsOf: other.line)
        }
    }
}
