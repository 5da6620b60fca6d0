import Kernels
import Network
import TestSupport
import Testing

@testable import ModelFormat
@testable import Runtime

/// The shortcuts of the int8 arithmetic give the same bits as the plain order of work in int8.
@Suite struct IntegerArithmeticTests {
    /// Three lines read in place, with a border of zero points, against the GEMM of copied patches.
    @Test(arguments: [(1, 1), (1, 7), (7, 1), (2, 2), (5, 6), (33, 5), (4, 67), (6, 10), (10, 130)])
    func convolutionOfAMapInPlace(_ height: Int, _ width: Int) throws {
        let model = try ModelFile(path: try TinyModel.shared.get().model)
        let channels = model.architecture.hidden
        let size = Size(height: height, width: width)
        for table in KernelSet.all where table.isSupported {
            let arithmetic = try IntegerArithmetic(model, kernels: table, threads: 2)
            let point = try arithmetic.quantizationPoint("pixel_decoder.smooth.input", channels: channels)
            let layer = try arithmetic.linear("pixel_decoder.smooth", columns: channels, depth: 9 * channels, taps: 3, input: point)
            let zeroPoint = try #require(point.quantization).zeroPoint
            #expect(zeroPoint != 0)
            // Earlier contents of scratch memory must be ignored.
            let mark = arithmetic.mark()
            arithmetic.scratch(UInt8.self, count: 1 << 19).update(repeating: 0xA5, count: 1 << 19)
            arithmetic.release(mark)
            var random = SplitMix(seed: UInt64(height * 100 + width))
            let x = arithmetic.matrix(rows: size.area, columns: channels)
            for index in 0..<x.count { x.base[index] = Float.random(in: -2...2, using: &random) }
            let map = arithmetic.operand(size: size, columns: channels, at: point, bordered: true) { output in
                for line in 0..<height {
                    arithmetic.perform(.quantize(x.rows(line * width..<(line + 1) * width), rows: 0..<width, output: output.line(line).rows))
                }
            }
            let found = arithmetic.matrix(rows: size.area, columns: channels)
            arithmetic.convolution3x3(map, size: size, layer, activation: .none, pooled: false, into: MapOutput(found, width: width))

            let dense = arithmetic.operand(x, at: point)
            var patches: [Int8] = []
            for pixel in 0..<size.area {
                for tap in 0..<9 {
                    let row = pixel / width + tap / 3 - 1
                    let column = pixel % width + tap % 3 - 1
                    let isInside = (0..<height).contains(row) && (0..<width).contains(column)
                    for channel in 0..<channels {
                        patches.append(isInside ? dense.bytes[(row * width + column) * dense.stride + channel] : Int8(zeroPoint))
                    }
                }
            }
            let expected = arithmetic.matrix(rows: size.area, columns: channels)
            arithmetic.linear(arithmetic.operand(patches, rows: size.area, at: point), layer, adding: nil, into: expected)
            #expect(bits(found) == bits(expected), "\(table.name)")
            guard height % 2 == 0, width % 2 == 0 else { continue }
            for index in 0..<expected.count { expected.base[index] = max(expected.base[index], 0) }
            let pooled = arithmetic.matrix(rows: size.area / 4, columns: channels)
            let small = MapOutput(pooled, width: width / 2)
            arithmetic.convolution3x3(map, size: size, layer, activation: .relu, pooled: true, into: small)
            let averaged = arithmetic.matrix(rows: size.area / 4, columns: channels)
            arithmetic.averagePool(expected, size: size, into: MapOutput(averaged, width: width / 2))
            #expect(bits(pooled) == bits(averaged), "\(table.name), pooled")
        }
    }

    /// Results of the mask decoder's learned queries that are computed once, against a traced run, which computes them anew; at two sizes in turn.
    @Test func constantsAreWhatIsComputedAnew() throws {
        let tiny = try TinyModel.shared.get()
        let model = try ModelFile(path: tiny.model)
        let vocabulary = try Vocabulary(path: tiny.vocabulary)
        let arithmetic = try IntegerArithmetic(model, kernels: .best, threads: 2)
        let network = try SegmentationNetwork(arithmetic, model.architecture)
        let categories = vocabulary.categories
        let classifier = Classifier(
            embeddings: vocabulary.embeddings, names: categories.map { $0.firstName..<$0.firstName + $0.nameCount },
            isSeen: categories.map(\.isSeen), isThing: categories.map(\.isThing))
        #expect(network.arithmetic.keepsConstants)
        for size in [Size(height: 64, width: 96), Size(height: 128, width: 64), Size(height: 64, width: 96)] {
            let pixels = (0..<3 * size.area).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
            func prediction() -> [[UInt32]] {
                network.run(pixels, size: size, padded: size, classifier: classifier) { [bits($0.masks), bits($0.probabilities)] }
            }
            var records = 0
            let kept = prediction()
            arithmetic.trace = { _, _ in records += 1 }
            #expect(prediction() == kept && records > 60)
            arithmetic.trace = nil
        }
    }

    private func bits(_ x: Matrix) -> [UInt32] {
        UnsafeBufferPointer(start: x.base, count: x.count).map(\.bitPattern)
    }
}
