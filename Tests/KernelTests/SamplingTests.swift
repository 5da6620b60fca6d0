import Foundation
import Kernels
import Testing

@Suite struct SamplingTests {
    struct Case: Sendable {
        let sizes: [Size]
        let heads, headWidth, points: Int
        var starts: [Int] { sizes.indices.map { sizes[..<$0].reduce(0) { $0 + $1.area } } }
        var rows: Int { sizes.reduce(0) { $0 + $1.area } }
        var channels: Int { heads * headWidth }
        var samples: Int { heads * sizes.count * points }
    }

    static let cases = [
        Case(sizes: [Size(height: 2, width: 3), Size(height: 4, width: 6), Size(height: 8, width: 12)], heads: 8, headWidth: 32, points: 4),
        Case(sizes: [Size(height: 3, width: 1), Size(height: 5, width: 2)], heads: 2, headWidth: 8, points: 4),
        Case(sizes: [Size(height: 1, width: 1)], heads: 1, headWidth: 50, points: 3),
        Case(sizes: [Size(height: 4, width: 4), Size(height: 7, width: 9)], heads: 3, headWidth: 17, points: 2),
        Case(sizes: [Size(height: 3, width: 2), Size(height: 6, width: 4), Size(height: 12, width: 8)], heads: 8, headWidth: 12, points: 4),
        Case(sizes: [Size(height: 5, width: 6)], heads: 1, headWidth: 16, points: 16),
        Case(sizes: [Size(height: 2, width: 2), Size(height: 3, width: 3)], heads: 2, headWidth: 65, points: 1),
        Case(sizes: [Size(height: 6, width: 5)], heads: 5, headWidth: 1, points: 3),
    ]

    @Test(arguments: cases) func agreesWithDouble(_ shape: Case) {
        var random = Generator(shape.channels)
        let bytes = random.bytes(shape.rows * shape.channels)
        let zeroPoint: Int32 = -9, scale: Float = 0.031
        let real = bytes.map { scale * Float(Int32($0) - zeroPoint) }
        let offsets = Map(rows: shape.rows, columns: shape.samples * 2, random.floats(shape.rows * shape.samples * 2, in: -4...4))
        let weights = Map(rows: shape.rows, columns: shape.samples, random.floats(shape.rows * shape.samples, in: 0...1))
        let expected = plain(real, offsets.values, weights.values, shape)
        let float = Map(rows: shape.rows, columns: shape.channels, real)
        let fromFloat = withExtendedLifetime(float) { sample(FloatRows(float.matrix), offsets, weights, shape) }
        #expect(relativeRMS(fromFloat, expected) < 2e-6)
        let fromBytes = bytes.withUnsafeBufferPointer {
            sample(
                Int8Rows($0.baseAddress!, rows: shape.rows, stride: shape.channels, scale: scale, zeroPoint: zeroPoint), offsets, weights, shape)
        }
        #expect(relativeRMS(fromBytes, expected) < 2e-6)
    }

    /// Offsets far outside, infinite or no numbers at all give zeros and no crash.
    @Test func wildOffsets() {
        let shape = Case(sizes: [Size(height: 3, width: 5)], heads: 1, headWidth: 4, points: 1)
        let values = Map(rows: 15, columns: 4, [Float](repeating: 1, count: 60)), weights = Map(rows: 15, columns: 1, [Float](repeating: 1, count: 15))
        for offset in [Float.nan, .infinity, -.infinity, 1e30, -1e30, 8, -8] {
            let offsets = Map(rows: 15, columns: 2, [Float](repeating: offset, count: 30))
            let out = withExtendedLifetime(values) { sample(FloatRows(values.matrix), offsets, weights, shape) }
            #expect(out.allSatisfy { $0 == 0 })
        }
    }

    private func sample(_ values: some Rows, _ offsets: Map, _ weights: Map, _ shape: Case) -> [Float] {
        let out = Map(rows: shape.rows, columns: shape.channels)
        let scratch = Map(rows: 1, columns: SampledAttention<FloatRows>.scratchCount(samples: shape.samples))
        shape.sizes.withUnsafeBufferPointer { sizes in
            shape.starts.withUnsafeBufferPointer { starts in
                let levels = Levels(sizes: sizes.baseAddress!, starts: starts.baseAddress!, count: sizes.count)
                // In two pieces, as threads would.
                for rows in [0..<shape.rows / 3, shape.rows / 3..<shape.rows] {
                    sampledAttention(
                        values, levels: levels, heads: shape.heads, points: shape.points, offsets: offsets.matrix, weights: weights.matrix,
                        rows: rows, scratch: scratch.matrix.base, into: out.matrix)
                }
            }
        }
        #expect(out.isIntact && scratch.isIntact)
        return out.values
    }

    private func plain(_ values: [Float], _ offsets: [Float], _ weights: [Float], _ shape: Case) -> [Double] {
        var out = [Double](repeating: 0, count: shape.rows * shape.channels)
        for (own, size) in shape.sizes.enumerated() {
            for pixel in 0..<size.area {
                let row = shape.starts[own] + pixel
                let x = (Double(pixel % size.width) + 0.5) / Double(size.width), y = (Double(pixel / size.width) + 0.5) / Double(size.height)
                for head in 0..<shape.heads {
                    for (level, other) in shape.sizes.enumerated() {
                        for point in 0..<shape.points {
                            let sample = row * shape.samples + (head * shape.sizes.count + level) * shape.points + point
                            let px = (x + Double(offsets[sample * 2]) / Double(other.width)) * Double(other.width) - 0.5
                            let py = (y + Double(offsets[sample * 2 + 1]) / Double(other.height)) * Double(other.height) - 0.5
                            for r in 0..<other.height {
                                for c in 0..<other.width {
                                    let share = max(0, 1 - abs(px - Double(c))) * max(0, 1 - abs(py - Double(r)))
                                    guard share > 0 else { continue }
                                    let source = (shape.starts[level] + r * other.width + c) * shape.channels + head * shape.headWidth
                                    for channel in 0..<shape.headWidth {
                                        out[row * shape.channels + head * shape.headWidth + channel]
                                            += share * Double(weights[sample]) * Double(values[source + channel])
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        return out
    }
}
