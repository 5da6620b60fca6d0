import CSystem
import Kernels
import ModelFormat
import Network
import System

/// The segments of one picture as one JSON object on one line. This folder's README describes the members.
public struct SegmentsRecord {
    /// Raised when a member changes its meaning or disappears; new members do not raise it.
    public static let schemaVersion = 1

    /// A file that the result depends on.
    public struct Source {
        /// Without folders.
        public let name: String
        public let identity: String

        public init(path: String, identity: String) {
            name = folderAndName(path).name
            self.identity = identity
        }
    }

    /// How long one step took.
    public struct Stage {
        public let name: StaticString
        public let milliseconds: Double

        public init(name: StaticString, milliseconds: Double) {
            (self.name, self.milliseconds) = (name, milliseconds)
        }
    }

    /// Where the picture stands in a stream.
    public struct Frame {
        /// 1, 2, ... in the order captured.
        public let number: Int
        /// Frames dropped since the one before, because this one was fresher.
        public let skipped: Int
        /// When it was captured, in milliseconds since 1970 (UTC).
        public let capturedAt: Double
        /// From there to the record, in milliseconds.
        public let age: Double

        public init(number: Int, skipped: Int, capturedAt: Double, age: Double) {
            (self.number, self.skipped, self.capturedAt, self.age) = (number, skipped, capturedAt, age)
        }
    }

    public var picture: String
    /// Nil for pictures that are none of a stream.
    public var frame: Frame?
    /// In the order of work; names differ.
    public var stages: [Stage]
    /// From picture to segments.
    public var totalMilliseconds: Double
    public var model: Source
    public var vocabulary: Source

    public init(picture: String, frame: Frame? = nil, stages: [Stage], totalMilliseconds: Double, model: Source, vocabulary: Source) {
        (self.picture, self.frame, self.stages, self.totalMilliseconds) = (picture, frame, stages, totalMilliseconds)
        (self.model, self.vocabulary) = (model, vocabulary)
    }

    /// The memory that a line is written to; the next line uses it again.
    public struct Writer {
        /// The line, with its line feed, as UTF-8.
        public var line: [UInt8] { json.bytes }
        fileprivate var json = JSONWriter()
        fileprivate var mask = RunLengthEncoding()

        public init() {}
    }

    /// Leaves the line in `writer`. - Parameter withMasks: false leaves `rle` out.
    public func write(_ segmentation: Segmentation, legend: Legend, withMasks: Bool = true, into writer: inout Writer) {
        writer.json.clear()
        write(segmentation, legend, withMasks, &writer.json, &writer.mask)
        writer.json.endLine()
    }

    private func write(_ segmentation: Segmentation, _ legend: Legend, _ withMasks: Bool, _ json: inout JSONWriter, _ mask: inout RunLengthEncoding) {
        json.beginObject()
        json.member("schema", SegmentsRecord.schemaVersion)
        json.member("picture", picture)
        if let frame {
            json.beginObject("frame")
            json.member("number", frame.number)
            json.member("skipped", frame.skipped)
            json.endObject()
        }
        json.member("size", segmentation.size)
        json.member("task", name(of: segmentation.task))
        json.beginArray("segments")
        for index in segmentation.segments.indices {
            write(segmentation.segments[index], legend, into: &json)
            if withMasks {
                mask.encode(segmentation, segment: index)
                write(mask, segmentation.size, into: &json)
            }
            json.endObject()
        }
        json.endArray()
        json.beginObject("timing")
        for stage in stages {
            json.key(stage.name)
            json.value(stage.milliseconds, decimals: 3)
        }
        json.member("total", totalMilliseconds, decimals: 3)
        if let frame {
            json.member("captured", frame.capturedAt, decimals: 3)
            json.member("age", frame.age, decimals: 3)
        }
        json.endObject()
        write("model", model, into: &json)
        write("vocabulary", vocabulary, into: &json)
        json.endObject()
    }

    /// The members of a segment but its mask; the object is left open.
    private func write(_ segment: Segment, _ legend: Legend, into json: inout JSONWriter) {
        json.beginObject()
        json.member("id", segment.id)
        json.member("category", segment.category)
        json.member("name", legend.name(of: segment))
        json.member("synonym", legend.synonym(of: segment))
        json.member("isthing", segment.isThing)
        json.member("score", Double(segment.score), decimals: 4)
        json.member("area", segment.area)
        json.beginArray("box")
        json.value(segment.box.x)
        json.value(segment.box.y)
        json.value(segment.box.width)
        json.value(segment.box.height)
        json.endArray()
    }

    private func write(_ mask: RunLengthEncoding, _ size: Size, into json: inout JSONWriter) {
        json.beginObject("rle")
        json.beginArray("size")
        json.value(size.height)
        json.value(size.width)
        json.endArray()
        json.member("counts", utf8: mask.counts)
        json.endObject()
    }

    private func write(_ key: String, _ source: Source, into json: inout JSONWriter) {
        json.key(key)
        json.beginObject()
        json.member("name", source.name)
        json.member("identity", source.identity)
        json.endObject()
    }

    private func name(of task: Task) -> String {
        switch task {
        case .panoptic: "panoptic"
        case .semantic: "semantic"
        case .instance: "instance"
        }
    }
}
