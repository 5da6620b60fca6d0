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

    @Test(arguments: cases, [(-9, -128...127), (-128, 0...127), (127, -128...(-1))] as [(Int32, ClosedRange<Int8>)])
    func agreesWithDouble(_ shape: Case, _ stored: (zeroPoint: Int32, range: ClosedRange<Int8>)) {
        var random = Generator(shape.channels)
        let bytes = random.bytes(shape.rows * shape.channels, in: stored.range)
        let scale: Float = 0.031
        let real = bytes.map { scale * Float(Int32($0) - stored.zeroPoint) }
        let offsets = Map(rows: shape.rows, columns: shape.samples * 2, random.floats(shape.rows * shape.samples * 2, in: -4...4))
        let weights = Map(rows: shape.rows, columns: shape.samples, random.floats(shape.rows * shape.samples, in: 0...1))
        let expected = plain(real, offsets.values, weights.values, shape)
        let float = Map(rows: shape.rows, columns: shape.channels, real)
        let fenced = Fenced(bytes)
        defer { withExtendedLifetime((float, fenced)) {} }
        let rows = Int8Rows(fenced.base, rows: shape.rows, stride: shape.channels, scale: scale, zeroPoint: stored.zeroPoint)
        for table in testedKernelSets {
            #expect(relativeRMS(sample(.floats(float.matrix), offsets, weights, shape, table), expected) < 2e-6, "\(table.name)")
            #expect(relativeRMS(sample(.int8(rows), offsets, weights, shape, table), expected) < 2e-6, "\(table.name)")
        }
    }

    /// A sample on a pixel's centre with all of the weight is that pixel.
    @Test(arguments: cases, [-128, 0, 127] as [Int32]) func wholeShares(_ shape: Case, _ zeroPoint: Int32) {
        var random = Generator(shape.channels)
        let bytes = random.bytes(shape.rows * shape.channels)
        let fenced = Fenced(bytes)
        let offsets = Map(rows: shape.rows, columns: shape.samples * 2, [Float](repeating: 0, count: shape.rows * shape.samples * 2))
        let weights = Map(rows: shape.rows, columns: shape.samples, [Float](repeating: 0, count: shape.rows * shape.samples))
        for (own, size) in shape.sizes.enumerated() {
            for row in shape.starts[own]..<shape.starts[own] + size.area {
                for head in 0..<shape.heads { weights.matrix[row, (head * shape.sizes.count + own) * shape.points] = 1 }
            }
        }
        defer { withExtendedLifetime(fenced) {} }
        let rows = Int8Rows(fenced.base, rows: shape.rows, stride: shape.channels, scale: 0.25, zeroPoint: zeroPoint)
        for table in testedKernelSets {
            // Positions have a rounding error where sizes are no powers of two.
            let out = sample(.int8(rows), offsets, weights, shape, table)
            #expect(zip(out, bytes).allSatisfy { abs($0 - 0.25 * Float(Int32($1) - zeroPoint)) < 1e-3 }, "\(table.name)")
        }
    }

    /// The most samples that are allowed, all of the same sign, with the largest high parts or the largest low parts.
    @Test(arguments: [(-128, 127), (127, -128)] as [(Int32, Int8)]) func largestSums(_ zeroPoint: Int32, _ byte: Int8) {
        let shape = Case(sizes: [Size(height: 3, width: 4)], heads: 1, headWidth: 33, points: 257)
        let bytes = Stored([Int8](repeating: byte, count: shape.rows * shape.channels))
        let offsets = Map(rows: shape.rows, columns: shape.samples * 2, [Float](repeating: 0.4999, count: shape.rows * shape.samples * 2))
        defer { withExtendedLifetime(bytes) {} }
        let rows = Int8Rows(bytes.base, rows: shape.rows, stride: shape.channels, scale: 1, zeroPoint: zeroPoint)
        let real = [Float](repeating: Float(Int32(byte) - zeroPoint), count: shape.rows * shape.channels)
        for weight: Float in [1, 0.99999994] {
            let weights = Map(rows: shape.rows, columns: shape.samples, [Float](repeating: weight, count: shape.rows * shape.samples))
            let expected = plain(real, offsets.values, weights.values, shape)
            for table in testedKernelSets { #expect(relativeRMS(sample(.int8(rows), offsets, weights, shape, table), expected) < 2e-6, "\(table.name)") }
        }
    }

    /// Offsets far outside, infinite or NaN give zeros and no crash; so do NaN weights.
    @Test func wildOffsets() {
        let shape = Case(sizes: [Size(height: 3, width: 5)], heads: 1, headWidth: 4, points: 1)
        let values = Map(rows: 15, columns: 4, [Float](repeating: 1, count: 60))
        let bytes = Fenced([Int8](repeating: 99, count: 60))
        let rows = Int8Rows(bytes.base, rows: 15, stride: 4, scale: 1, zeroPoint: -5)
        defer { withExtendedLifetime((values, bytes)) {} }
        func sampled(_ values: SampledAttention.Values, offset: Float, weight: Float) -> [[Float]] {
            let offsets = Map(rows: 15, columns: 2, [Float](repeating: offset, count: 30))
            let weights = Map(rows: 15, columns: 1, [Float](repeating: weight, count: 15))
            return testedKernelSets.map { sample(values, offsets, weights, shape, $0) }
        }
        for offset in [Float.nan, .infinity, -.infinity, 1e30, -1e30, 8, -8] {
            for kind in [SampledAttention.Values.floats(values.matrix), .int8(rows)] {
                #expect(sampled(kind, offset: offset, weight: 1).joined().allSatisfy { $0 == 0 })
            }
        }
        #expect(sampled(.int8(rows), offset: 0, weight: .nan).joined().allSatisfy { $0 == 0 })
        #expect(sampled(.int8(rows), offset: 0, weight: -1).joined().allSatisfy { $0 == 0 })
        #expect(sampled(.int8(rows), offset: 0, weight: .infinity) == sampled(.int8(rows), offset: 0, weight: 1))
    }

    private func sample(_ values: SampledAttention.Values, _ offsets: Map, _ weights: Map, _ shape: Case, _ table: KernelSet) -> [Float] {
        let out = Map(rows: shape.rows, columns: shape.channels)
        let scratch = Map(rows: 1, columns: SampledAttention.scratchCount(samples: shape.samples))
        shape.sizes.withUnsafeBufferPointer { sizes in
            shape.starts.withUnsafeBufferPointer { starts in
                let levels = Levels(sizes: sizes.baseAddress!, starts: starts.baseAddress!, count: sizes.count)
                // In two pieces, as threads would.
                for rows in [0..<shape.rows / 3, shape.rows / 3..<shape.rows] {
                    table.perform(
                        .sampledAttention(
                            SampledAttention(
                                values, levels: levels, heads: shape.heads, points: shape.points, offsets: offsets.matrix, weights: weights.matrix,
                                rows: rows, scratch: scratch.matrix.base, into: out.matrix.rows(rows))))
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
                let x = (Double(pixel % size.width) + 0.5) / Double(size.width)
                let y = (Double(pixel / size.width) + 0.5) / Double(size.height)
                for head in 0..<shape.heads {
                    for (level, other) in shape.sizes.enumerated() {
                        for point in 0..<shape.points {
                            let sample = row * shape.samples + (head * shape.sizes.count + level) * shape.points + point
                            let px = (x + Double(offsets[sample * 2]) / Double(other.width)) * Double(other.width) - 0.5
                            let py = (y + Double(offsets[sample * 2 + 1]) / Double(other.height)) * Double(other.height) - 0.5
                            for r in 0..<other.height {
                                for c in 0..<other.width {
                                    let fraction = max(0, 1 - abs(px - Double(c))) * max(0, 1 - abs(py - Double(r)))
                                    guard fraction > 0 else { continue }
                                    let source = (shape.starts[level] + r * other.width + c) * shape.channels + head * shape.headWidth
                                    for channel in 0..<shape.headWidth {
                                        out[row * shape.channels + head * shape.headWidth + channel] +=
                                            fraction * Double(weights[sample]) * Double(values[source + channel])
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
