import Kernels
import Testing

/// Every kernel set against the mean written out one value at a time, in the order that `AveragePool` states: all steps round once.
@Suite struct AveragePoolTests {
    static let widths = [2, 4, 6, 14]

    @Test(arguments: widths, [1, 3, 15, 16, 17, 31, 32, 33, 48, 65, 100]) func means(_ width: Int, _ channels: Int) {
        var random = Generator(width * 1000 + channels)
        let x = Stored(random.floats(2 * width * channels))
        let multiplier = Stored(random.floats(channels, in: 1...60))
        defer { withExtendedLifetime((x, multiplier)) {} }
        // Pixels further apart than they are long.
        let stride = channels + 3
        let count = width / 2 * stride
        let start = random.floats(count)
        let mean = { (pixel: Int, channel: Int) -> Float in
            let value = { x.base[(($0 * width) + 2 * pixel + $1) * channels + channel] }
            return ((value(0, 0) + value(0, 1)) + (value(1, 0) + value(1, 1))) * 0.25
        }
        let expected = { (finish: (Float, Float) -> Float) in
            (0..<count).map { index -> Float in
                let (pixel, channel) = index.quotientAndRemainder(dividingBy: stride)
                return channel < channels ? finish(start[index], mean(pixel, channel)) : start[index]
            }
        }
        for kernels in testedKernelSets {
            func pool(_ output: RowOutput) { kernels.perform(.averagePool(AveragePool(x.base, width: width, channels: channels, output: output))) }
            func check(_ values: [Float], _ output: (Map) -> RowOutput) {
                let y = Map(rows: 1, columns: count, start)
                pool(output(y))
                #expect(y.values.map(\.bitPattern) == values.map(\.bitPattern) && y.isIntact, "\(kernels.name)")
            }
            check(expected { $1 }) { .floats($0.matrix.base, stride: stride) }
            check(expected { $0 + $1 }) { .added($0.matrix.base, stride: stride) }
            check(expected { max($0 + $1, 0) }) { .rectifiedSum($0.matrix.base, stride: stride) }

            var bytes = [Int8](repeating: 9, count: count + 32)
            bytes.withUnsafeMutableBufferPointer {
                pool(.int8($0.baseAddress!, stride: stride, multiplier: multiplier.base, zeroPoint: -5))
            }
            let quantized = (0..<count + 32).map { index -> Int8 in
                let (pixel, channel) = index.quotientAndRemainder(dividingBy: stride)
                guard index < count, channel < channels else { return 9 }
                return Int8(max(-128, min(127, (mean(pixel, channel) * multiplier.base[channel] - 5).rounded(.toNearestOrEven))))
            }
            #expect(bytes == quantized, "\(kernels.name)")
        }
    }
}
