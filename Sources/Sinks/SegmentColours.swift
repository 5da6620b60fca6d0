import Imaging
import ModelFormat
import Network

/// Colours of the segments of one picture: the class's own, and for further things of a class shades of it that can be told apart.
struct SegmentColours {
    struct Paint {
        let fill, line: Colour
        let isThing: Bool
    }

    /// By segment id.
    private var paints: [Paint?]

    /// Turn of the hue in degrees and factor of the brightness of the first, second, ... thing of a class.
    private static let shades: [(turn: Float, brightness: Float)] = [(0, 1), (24, 1), (-24, 1), (12, 0.72), (-36, 0.8), (40, 0.75), (-12, 0.6)]

    init(_ segments: [Segment], _ legend: Legend) {
        var last = 0
        for segment in segments { last = max(last, segment.id) }
        paints = [Paint?](repeating: nil, count: last + 1)
        for (index, segment) in segments.enumerated() where segment.id > 0 {
            var earlier = 0
            if segment.isThing {
                for other in segments[..<index] where other.category == segment.category { earlier += 1 }
            }
            let shade = SegmentColours.shades[earlier % SegmentColours.shades.count]
            let fill = legend.colour(of: segment).turned(by: shade.turn, brightness: shade.brightness)
            paints[segment.id] = Paint(fill: fill, line: fill.lightened(by: segment.isThing ? 0.45 : 0.2), isThing: segment.isThing)
        }
    }

    /// Nil for ids without a segment.
    subscript(id: Int) -> Paint? {
        paints.indices.contains(id) ? paints[id] : nil
    }
}

extension Colour {
    /// The colour on its way to white, 0...1.
    func lightened(by fraction: Float) -> Colour {
        func channel(_ value: UInt8) -> UInt8 { UInt8(Float(value) + (255 - Float(value)) * fraction) }
        return Colour(red: channel(red), green: channel(green), blue: channel(blue))
    }

    /// The colour with its hue turned by `degrees` (hue, saturation and value of Smith 1978) and all channels scaled by `brightness`, at most 1.
    func turned(by degrees: Float, brightness: Float) -> Colour {
        let r = Float(red)
        let g = Float(green)
        let b = Float(blue)
        let value = max(r, max(g, b))
        let chroma = value - min(r, min(g, b))
        var hue: Float = 0
        if chroma > 0 {
            if value == r { hue = (g - b) / chroma } else if value == g { hue = 2 + (b - r) / chroma } else { hue = 4 + (r - g) / chroma }
        }
        hue += degrees / 60
        func channel(_ offset: Float) -> UInt8 {
            var position = (hue + offset).truncatingRemainder(dividingBy: 6)
            if position < 0 { position += 6 }
            let level = max(0, min(1, min(position, 4 - position)))
            return UInt8(max(0, min(255, (value - chroma * level) * brightness)))
        }
        return Colour(red: channel(5), green: channel(3), blue: channel(1))
    }
}
