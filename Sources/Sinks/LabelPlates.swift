import Imaging
import Kernels
import ModelFormat
import Network
import System

/// Names and scores of segments on dark plates: each inside its segment where there is room, clear of the picture's border
/// and of the other plates.
struct LabelPlates {
    private struct Plate {
        let name: [UInt8], score: [UInt8]
        let colour: Colour
        var area: Area
    }

    private var plates: [Plate] = []
    private let unit: Float
    /// In grid units of the font: free space around the text, width of the colour mark, gap between name and score.
    private static let margin: Float = 3.4
    private static let mark: Float = 5.6
    private static let gap: Float = 6

    /// - Parameter unit: pixels a grid unit of the font.
    init(_ segmentation: Segmentation, legend: Legend, colours: SegmentColours, unit: Float) {
        self.unit = unit
        let size = segmentation.size
        let segments = segmentation.segments
        // A plate is about four times as wide as high.
        let depth = DistanceTransform(segmentation.labels, size, horizontal: 1, vertical: 4)
        var last = 0
        for segment in segments { last = max(last, segment.id) }
        let spots = depth.deepest(segmentation.labels, count: last)
        // Large segments first: when room is short, specks go without a name.
        let order = segments.indices.sorted { segments[$0].area > segments[$1].area }
        for index in order {
            let segment = segments[index]
            guard segment.id > 0, spots[segment.id] >= 0, let paint = colours[segment.id] else { continue }
            guard Float(segment.area) > 60 * unit * unit else { continue }
            let spot = spots[segment.id]
            place(
                legend.synonym(of: segment), of: segment, colour: paint.fill, x: Float(spot % size.width) + 0.5, y: Float(spot / size.width) + 0.5,
                in: size)
        }
    }

    private mutating func place(_ name: String, of segment: Segment, colour: Colour, x: Float, y: Float, in size: Size) {
        let score = segment.score
        let percent = max(0, min(100, score.isFinite ? Int((score * 100).rounded()) : 0))
        let scoreText = StrokeFont.characters("\(percent)%")
        var text = StrokeFont.characters(name)
        let fixed = LabelPlates.mark + LabelPlates.gap + StrokeFont.width(scoreText) + 2 * LabelPlates.margin
        // A name wider than the picture loses its end to two dots.
        let room = Float(size.width) / unit - fixed
        if StrokeFont.width(text) > room {
            let dots = Array("..".utf8)
            while !text.isEmpty && StrokeFont.width(text + dots) > room { text.removeLast() }
            text += dots
        }
        let width = (StrokeFont.width(text) + fixed) * unit
        let height = (StrokeFont.capitalHeight + 2 * LabelPlates.margin + 0.6) * unit
        let left = max(0, min(x - width / 2, Float(size.width) - width)).rounded()
        var tops = [0, -1, 1, -2, 2].map { (step: Float) in y - height / 2 + step * (height + unit) }
        // A plate would hide a small thing: above or below it is better.
        let top = Float(segment.box.y)
        let bottom = Float(segment.box.y + segment.box.height)
        if segment.isThing && bottom - top < 2.5 * height {
            let outside = [top - height - 2 * unit, bottom + 2 * unit].filter { $0 >= 0 && $0 + height <= Float(size.height) }
            tops = outside + tops
        }
        for wanted in tops {
            let top = max(0, min(wanted, Float(size.height) - height)).rounded()
            let area = Area(left: left, top: top, right: left + width, bottom: top + height)
            var isFree = true
            for plate in plates where plate.area.overlaps(area) { isFree = false }
            guard isFree else { continue }
            plates.append(Plate(name: text, score: scoreText, colour: colour, area: area))
            return
        }
    }

    func draw(on canvas: Canvas) {
        let margin = LabelPlates.margin * unit
        let mark = LabelPlates.mark * unit
        for plate in plates {
            let area = plate.area
            canvas.plate(area, radius: 3 * unit, Colour(0x14161A), 0.78)
            let base = area.bottom - margin - 0.3 * unit
            let inner = Area(
                left: area.left + margin * 0.7, top: area.top + margin, right: area.left + margin * 0.7 + mark * 0.45, bottom: area.bottom - margin)
            canvas.plate(inner, radius: mark * 0.25, plate.colour.lightened(by: 0.15), 1)
            var left = area.left + margin + mark
            canvas.text(plate.name, left: left, base: base, unit: unit, Colour(0xFFFFFF))
            left += (StrokeFont.width(plate.name) + LabelPlates.gap) * unit
            canvas.text(plate.score, left: left, base: base, unit: unit, Colour(0xB4BAC4))
        }
    }
}
