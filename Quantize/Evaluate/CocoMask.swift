import Kernels
import System

/// A mask as COCO's JSON has it.
enum CocoMask: Decodable {
    /// Corners x, y, x, y, ... of polygons, whose union it is.
    case polygons([[Double]])
    /// Lengths of runs of 0 and 1 in turn, column after column; `size` is height, width.
    case runs([Int], size: [Int])
    /// The same, compressed to text as `RunLengthEncoding.counts` describes it.
    case text(String, size: [Int])

    private enum CodingKeys: CodingKey {
        case counts, size
    }

    init(from decoder: any Decoder) throws {
        if let polygons = try? decoder.singleValueContainer().decode([[Double]].self) {
            self = .polygons(polygons)
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let size = try container.decode([Int].self, forKey: .size)
        if let text = try? container.decode(String.self, forKey: .counts) {
            self = .text(text, size: size)
        } else {
            self = .runs(try container.decode([Int].self, forKey: .counts), size: size)
        }
    }

    /// - Throws: when the mask is of another size or makes no sense; `place` opens the fault.
    func mask(_ size: Size, place: String) throws(Fault) -> BitMask {
        switch self {
        case .polygons(let polygons):
            var mask = BitMask(size: size)
            for polygon in polygons { try mask.insert(polygon: polygon, place: place) }
            return mask
        case .runs(let runs, let stated):
            return try Self.mask(runs, stated, size, place)
        case .text(let text, let stated):
            guard let runs = Self.runs(text) else { throw Fault("\(place): a mask's run lengths are damaged") }
            return try Self.mask(runs, stated, size, place)
        }
    }

    private static func mask(_ runs: [Int], _ stated: [Int], _ size: Size, _ place: String) throws(Fault) -> BitMask {
        guard stated == [size.height, size.width] else {
            throw Fault("\(place): a mask is of size \(stated.prefix(3)), the picture \(size.height) high and \(size.width) wide")
        }
        var mask = BitMask(size: size)
        var position = 0
        var isInside = false
        for run in runs {
            guard run >= 0, run <= size.area - position else { throw Fault("\(place): a mask's runs are longer than the picture") }
            if isInside { for pixel in position..<position + run { mask.insert(column: pixel) } }
            position += run
            isInside.toggle()
        }
        guard position == size.area else { throw Fault("\(place): a mask's runs end before the picture does") }
        return mask
    }

    /// Run lengths from their text; nil when it is none.
    private static func runs(_ text: String) -> [Int]? {
        var runs: [Int] = []
        var value = 0
        var shift = 0
        for character in text.utf8 {
            guard (48..<112).contains(character), shift < 40 else { return nil }
            let group = Int(character) - 48
            value |= (group & 31) << shift
            shift += 5
            guard group & 32 == 0 else { continue }
            if group & 16 != 0 { value -= 1 << shift }
            if runs.count > 2 { value += runs[runs.count - 2] }
            guard (0...Int(Int32.max)).contains(value) else { return nil }
            runs.append(value)
            value = 0
            shift = 0
        }
        return shift == 0 ? runs : nil
    }
}

extension BitMask {
    /// Inserts a pixel numbered column after column.
    mutating func insert(column pixel: Int) {
        insert(pixel % size.height * size.width + pixel / size.height)
    }

    /// Inserts the pixels of a polygon, those that pycocotools gives it: its outline is walked on a grid five times as fine, and where it crosses the
    /// middle of a column, that column turns from outside to inside or back at the next pixel below.
    ///
    /// - Throws: when `corners` are no polygon or lie far from the picture.
    mutating func insert(polygon corners: [Double], place: String) throws(Fault) {
        guard corners.count >= 6, corners.count.isMultiple(of: 2) else { throw Fault("\(place): a polygon of \(corners.count) coordinates") }
        let limit = Double(2 * max(size.width, size.height) + 16)
        guard corners.allSatisfy({ abs($0) <= limit }) else { throw Fault("\(place): a polygon's corner lies far outside the picture") }
        let fine = corners.map { Int(5 * $0 + 0.5) }
        let count = corners.count / 2
        var crossings: [Int] = []
        var last: (x: Int, y: Int)?
        for corner in 0..<count {
            let next = (corner + 1) % count
            Self.walk(from: (fine[2 * corner], fine[2 * corner + 1]), to: (fine[2 * next], fine[2 * next + 1])) { x, y in
                defer { last = (x, y) }
                guard let last, x != last.x else { return }
                // The middle of column c is at 5 c + 2 on the fine grid.
                let column = min(x, last.x)
                guard column >= 0, column % 5 == 2, column / 5 < size.width else { return }
                let row = ((Double(min(y, last.y)) + 0.5) / 5 - 0.5).rounded(.up)
                crossings.append(column / 5 * size.height + Int(max(0, min(Double(size.height), row))))
            }
        }
        crossings.sort()
        // An odd crossing at the end reaches to the last pixel.
        for first in stride(from: 0, to: crossings.count, by: 2) {
            let end = first + 1 < crossings.count ? crossings[first + 1] : size.area
            for pixel in crossings[first]..<end { insert(column: pixel) }
        }
    }

    /// Visits the points of a line, both ends included, one for each step along its longer direction.
    private static func walk(from start: (x: Int, y: Int), to end: (x: Int, y: Int), _ visit: (Int, Int) -> Void) {
        let width = abs(end.x - start.x)
        let height = abs(end.y - start.y)
        let isFlat = width >= height
        // Rounding depends on the direction: lines are drawn from their smaller end, whichever way they are walked.
        let isTurned = isFlat ? start.x > end.x : start.y > end.y
        let low = isTurned ? end : start
        let high = isTurned ? start : end
        let steps = max(width, height)
        let slope = steps == 0 ? 0 : Double(isFlat ? high.y - low.y : high.x - low.x) / Double(steps)
        for step in 0...steps {
            let along = isTurned ? steps - step : step
            let across = Int(Double(isFlat ? low.y : low.x) + slope * Double(along) + 0.5)
            if isFlat { visit(low.x + along, across) } else { visit(across, low.y + along) }
        }
    }
}
