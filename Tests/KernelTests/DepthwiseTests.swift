import Kernels
import Testing

@Suite struct DepthwiseTests {
    static let shapes: [(height: Int, width: Int, channels: Int)] = {
        var shapes: [(Int, Int, Int)] = []
        for height in 1...8 { for width in 1...8 { shapes.append((height, width, 1 + (height * 8 + width) % 19)) } }
        for channels in 1...34 { shapes.append((4, 5, channels)) }
        return shapes + [(9, 16, 96), (16, 9, 192), (3, 40, 8), (40, 3, 7)]
    }()

    /// Every kernel set against sums written out here, exactly.
    @Test func int8() {
        for (height, width, channels) in Self.shapes {
            var random = Generator(height * 10_007 + width * 101 + channels)
            let x = random.bytes(height * width * channels)
            let weights = random.bytes(49 * channels, in: -127...127)
            let expected = plain(x.map(Int.init), weights.map(Int.init), height, width, channels, zero: 0, +, *)
            for kernels in testedKernelSets {
                var y = [Int32](repeating: 0, count: height * width * channels + 8)
                for index in y.indices { y[index] = -99 }
                y.withUnsafeMutableBufferPointer { buffer in
                    for row in 0..<height {
                        kernels.depthwise7x7(
                            x, height: height, width: width, channels: channels, weights: weights, row: row,
                            into: buffer.baseAddress! + row * width * channels)
                    }
                }
                #expect(y.prefix(expected.count).map(Int.init) == expected, "\(kernels.name) \(height)x\(width)x\(channels)")
                #expect(y.suffix(8).allSatisfy { $0 == -99 }, "\(kernels.name) \(height)x\(width)x\(channels) wrote beyond its row")
            }
        }
    }

    @Test func extremes() {
        for activation in [Int8(-128), 127] {
            for weight in [Int8(-127), 127] {
                let x = [Int8](repeating: activation, count: 7 * 7 * 9)
                let weights = [Int8](repeating: weight, count: 49 * 9)
                for kernels in testedKernelSets {
                    var y = [Int32](repeating: 0, count: 7 * 9)
                    kernels.depthwise7x7(x, height: 7, width: 7, channels: 9, weights: weights, row: 3, into: &y)
                    let centre = Array(y[3 * 9..<4 * 9])
                    #expect(centre == [Int32](repeating: 49 * Int32(activation) * Int32(weight), count: 9), "\(kernels.name)")
                }
            }
        }
    }

    @Test func float() {
        for (height, width, channels) in Self.shapes {
            var random = Generator(height * 997 + width * 31 + channels)
            let x = Map(rows: height * width, columns: channels, random.floats(height * width * channels))
            let weights = random.floats(49 * channels)
            let bias = random.floats(channels)
            let sums = plain(x.values.map(Double.init), weights.map(Double.init), height, width, channels, zero: 0, +, *)
            let expected = sums.enumerated().map { $1 + Double(bias[$0 % channels]) }
            let y = Map(rows: height * width, columns: channels)
            for row in 0..<height {
                depthwise7x7(
                    x.matrix, size: Size(height: height, width: width), weights: weights, bias: bias, row: row, into: y.matrix.row(row * width))
            }
            #expect(largestError(y.values, expected) < 5e-5)
            #expect(y.isIntact)
        }
    }

    private func plain<Value>(
        _ x: [Value], _ weights: [Value], _ height: Int, _ width: Int, _ channels: Int, zero: Value,
        _ add: (Value, Value) -> Value, _ multiply: (Value, Value) -> Value
    ) -> [Value] {
        var y = [Value](repeating: zero, count: height * width * channels)
        for row in 0..<height {
            for column in 0..<width {
                for ky in 0..<7 {
                    for kx in 0..<7 {
                        let r = row + ky - 3
                        let c = column + kx - 3
                        guard (0..<height).contains(r), (0..<width).contains(c) else { continue }
                        for channel in 0..<channels {
                            let index = (row * width + column) * channels + channel
                            y[index] = add(y[index], multiply(x[(r * width + c) * channels + channel], weights[(ky * 7 + kx) * channels + channel]))
                        }
                    }
                }
            }
        }
        return y
    }
}
