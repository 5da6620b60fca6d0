import CSystem
import Kernels
import Network

/// A mask as COCO's compressed run-length encoding: lengths of runs of 0 and 1 in turn, column after column from the
/// top, as text. Equal to `counts` of pycocotools' `mask.encode`. Masks after the longest allocate nothing.
public struct RunLengthEncoding {
    /// Lengths of the runs; the first run is of zeros and may be empty.
    public private(set) var runs: [Int] = []
    /// The runs as text (ASCII): from the fourth on the difference to the run before the previous one, in groups of five bits from the
    /// lowest, a sixth bit saying that more follow, each group plus 48 as a character.
    public private(set) var counts: [UInt8] = []

    public init() {}

    /// Encodes the mask of `segmentation.segments[index]`, in the same memory. Only its box is visited.
    public mutating func encode(_ segmentation: Segmentation, segment index: Int) {
        runs.removeAll(keepingCapacity: true)
        let size = segmentation.size
        let box = segmentation.segments[index].box
        let columns = max(box.x, 0)..<max(min(box.x + box.width, size.width), max(box.x, 0))
        let rows = max(box.y, 0)..<max(min(box.y + box.height, size.height), max(box.y, 0))
        var end = 0  // where the last run ended
        var isInside = false
        for x in columns {
            // A run that reaches the box's lower edge goes on in the next column only when the box fills the height.
            if isInside && rows.count < size.height {
                close(at: (x - 1) * size.height + rows.upperBound, &end, &isInside)
            }
            for y in rows where segmentation.contains(y * size.width + x, segment: index) != isInside {
                close(at: x * size.height + y, &end, &isInside)
            }
        }
        if isInside { close(at: (columns.upperBound - 1) * size.height + rows.upperBound, &end, &isInside) }
        if end < size.area || runs.isEmpty { runs.append(size.area - end) }
        write()
    }

    private mutating func close(at position: Int, _ end: inout Int, _ isInside: inout Bool) {
        runs.append(position - end)
        end = position
        isInside.toggle()
    }

    private mutating func write() {
        counts.removeAll(keepingCapacity: true)
        for index in runs.indices {
            var value = index > 2 ? runs[index] - runs[index - 2] : runs[index]
            while true {
                let group = value & 31
                value >>= 5
                let isLast = value == (group & 16 == 0 ? 0 : -1)
                counts.append(UInt8(group + (isLast ? 48 : 80)))
                if isLast { break }
            }
        }
    }
}
