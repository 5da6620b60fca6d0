import Imaging
import Kernels

/// Antialiased drawing on an RGB8 picture; what lies outside it is clipped. It does not own the pixels.
struct Canvas {
    let pixels: UnsafeMutablePointer<UInt8>
    let size: Size

    /// Mixes `colour` into pixel (x, y), which must lie inside; `opacity` 0...1.
    func blend(_ x: Int, _ y: Int, _ colour: Colour, _ opacity: Float) {
        let pixel = pixels + (y * size.width + x) * 3
        let alpha = Int(opacity * 256)
        pixel[0] = mix(pixel[0], colour.red, alpha)
        pixel[1] = mix(pixel[1], colour.green, alpha)
        pixel[2] = mix(pixel[2], colour.blue, alpha)
    }

    private func mix(_ under: UInt8, _ over: UInt8, _ alpha: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: (Int(under) * (256 - alpha) + Int(over) * alpha + 128) >> 8)
    }

    /// A filled rectangle with round corners.
    func plate(_ area: Area, radius: Float, _ colour: Colour, _ opacity: Float) {
        fill(area.left, area.top, area.right, area.bottom, colour, opacity) { x, y in
            let dx = max(max(area.left + radius - x, x - area.right + radius), 0)
            let dy = max(max(area.top + radius - y, y - area.bottom + radius), 0)
            return radius + 0.5 - (dx * dx + dy * dy).squareRoot()
        }
    }

    /// A line of text, `unit` pixels a grid unit, starting at `left`, on the baseline `base`.
    func text(_ characters: [UInt8], left: Float, base: Float, unit: Float, _ colour: Colour) {
        let half = StrokeFont.thickness * unit / 2
        var origin = left
        for character in characters {
            let (strokes, width) = StrokeFont.glyph(character)
            if !strokes.isEmpty {
                let reach = half + 1
                let bottom = base + StrokeFont.descent * unit + reach
                let top = base - (StrokeFont.capitalHeight + 1) * unit - reach
                fill(origin - reach, top, origin + width * unit + reach, bottom, colour, 1) { x, y in
                    let gridX = (x - origin) / unit
                    let gridY = (base - y) / unit
                    var nearest = Float.greatestFiniteMagnitude
                    for stroke in strokes { nearest = min(nearest, squaredDistance(gridX, gridY, stroke)) }
                    return half + 0.5 - nearest.squareRoot() * unit
                }
            }
            origin += (width + StrokeFont.spacing) * unit
        }
    }

    /// Blends `colour` over every pixel of a rectangle by `coverage` of its centre, clamped to 0...1, times `opacity`.
    private func fill(
        _ left: Float, _ top: Float, _ right: Float, _ bottom: Float, _ colour: Colour, _ opacity: Float, coverage: (Float, Float) -> Float
    ) {
        let columns = max(Int(left), 0)..<max(min(Int(right) + 1, size.width), max(Int(left), 0))
        let rows = max(Int(top), 0)..<max(min(Int(bottom) + 1, size.height), max(Int(top), 0))
        for y in rows {
            for x in columns {
                let covered = max(0, min(1, coverage(Float(x) + 0.5, Float(y) + 0.5)))
                if covered > 0 { blend(x, y, colour, covered * opacity) }
            }
        }
    }

    private func squaredDistance(_ x: Float, _ y: Float, _ stroke: StrokeFont.Stroke) -> Float {
        let dx = stroke.x1 - stroke.x0
        let dy = stroke.y1 - stroke.y0
        let length = dx * dx + dy * dy
        let along = length > 0 ? max(0, min(1, ((x - stroke.x0) * dx + (y - stroke.y0) * dy) / length)) : 0
        let offX = x - stroke.x0 - along * dx
        let offY = y - stroke.y0 - along * dy
        return offX * offX + offY * offY
    }
}

/// A rectangle in pixels.
struct Area {
    var left, top, right, bottom: Float

    func overlaps(_ other: Area) -> Bool {
        left < other.right && other.left < right && top < other.bottom && other.top < bottom
    }
}
