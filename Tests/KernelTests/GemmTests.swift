import Kernels
import Testing

/// Every GEMM in the list against plain sums, exactly.
@Suite struct GemmTests {
    struct Shape: CustomTestStringConvertible, Sendable {
        let rows, columns, depth: Int
        var testDescription: String { "\(rows)x\(columns)x\(depth)" }
    }

    static let small = (1...10).flatMap { m in (1...10).flatMap { n in (1...10).map { Shape(rows: m, columns: n, depth: $0) } } }

    static let odd: [Shape] = {
        let sizes = [15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129]
        var shapes = sizes.flatMap { n in sizes.map { Shape(rows: 5, columns: n, depth: $0) } }
        shapes += sizes.map { Shape(rows: $0, columns: 33, depth: 19) }
        shapes += [
            Shape(rows: 3, columns: 7, depth: 32767), Shape(rows: 300, columns: 1, depth: 5), Shape(rows: 1, columns: 700, depth: 3),
            Shape(rows: 9, columns: 3072, depth: 768), Shape(rows: 9, columns: 768, depth: 3072), Shape(rows: 250, columns: 256, depth: 256),
            Shape(rows: 33, columns: 544, depth: 256), Shape(rows: 700, columns: 40, depth: 301),
        ]
        return shapes
    }()

    /// Packed weights are at the positions of the layout, for every kernel set and for those of other processors.
    @Test func packedWeightsAreFound() {
        let others = [
            PackedLayout(columnsPerPanel: 16, depthStep: 4, activationOffset: 128), PackedLayout(columnsPerPanel: 8, depthStep: 8, depthBlock: 16),
            PackedLayout(columnsPerPanel: 12, depthStep: 2),
        ]
        for layout in KernelSet.all.map(\.layout) + others {
            for (columns, depth) in [(1, 1), (7, 5), (16, 64), (33, 31), (50, 130)] {
                let weights = (0..<columns * depth).map { Int8(truncatingIfNeeded: $0 &* 37 &+ 5) }
                var packed = [Int8](repeating: 99, count: layout.byteCount(columns: columns, depth: depth))
                packWeights(weights, columns: columns, depth: depth, layout: layout, into: &packed)
                for column in 0..<columns {
                    for position in 0..<depth {
                        #expect(packed[layout.offset(column: column, position: position, depth: depth)] == max(weights[column * depth + position], -127))
                    }
                }
            }
        }
    }

    @Test func smallShapes() {
        for shape in Self.small { check(shape, activations: -128...127) }
    }

    @Test(arguments: odd) func oddShapes(_ shape: Shape) {
        check(shape, activations: -128...127)
    }

    /// The largest sums that a pair in 16 bits must hold, of either sign.
    @Test func extremes() {
        for activation in [Int8(-128), 127] {
            for weight in [Int8(-127), 127] {
                let shape = Shape(rows: 5, columns: 67, depth: 130)
                check(
                    shape, [Int8](repeating: activation, count: shape.rows * shape.depth),
                    [Int8](repeating: weight, count: shape.columns * shape.depth))
            }
        }
    }

    /// Rows of taps that overlap, like the pixels under a 3x3 convolution.
    @Test(arguments: [(1, 1, 1, 3), (3, 5, 3, 3), (4, 64, 1, 2), (5, 65, 6, 3), (9, 33, 2, 5), (17, 130, 3, 3), (300, 24, 48, 3)])
    func rowsInTaps(_ rows: Int, _ columns: Int, _ blocks: Int, _ taps: Int) {
        let depth = 16 * blocks
        let stride = max(depth / 3, 1)
        let tapStride = (rows + 2) * stride
        var random = Generator(rows + 31 * columns)
        let a = random.bytes(taps * tapStride + 3 * depth)
        let shape = Shape(rows: rows, columns: columns, depth: taps * depth)
        let weights = random.bytes(columns * shape.depth, in: -127...127)
        var patches: [Int8] = []
        for row in 0..<rows {
            for tap in 0..<taps { patches += a[(row * stride + tap * tapStride)...].prefix(depth) }
        }
        for kernels in testedKernelSets + testedKernelSets.map(\.withSmallCaches) {
            let packed = pack(weights, shape, kernels.layout)
            var sums = [Int32](repeating: -77, count: rows * columns)
            kernels.gemm(
                a, rows: rows, rowStride: stride, depth: depth, taps: taps, tapStride: tapStride, packed: packed, columns: columns, into: &sums,
                sumStride: columns)
            #expect(sums == plain(patches, weights, shape), "\(kernels.name)")
        }
    }

    /// The reference gives the same sums for every layout, also for layouts that no kernel set uses.
    @Test(arguments: [(1, 1), (3, 2), (5, 8), (16, 4), (8, 16)]) func layouts(_ columnsPerPanel: Int, _ depthStep: Int) {
        var random = Generator(7)
        let layout = PackedLayout(columnsPerPanel: columnsPerPanel, depthStep: depthStep)
        for shape in [Shape(rows: 3, columns: 11, depth: 13), Shape(rows: 2, columns: 16, depth: 16), Shape(rows: 2, columns: 1, depth: 1)] {
            let a = random.bytes(shape.rows * shape.depth)
            let weights = random.bytes(shape.columns * shape.depth, in: -127...127)
            let packed = pack(weights, shape, layout)
            var sums = [Int32](repeating: -1, count: shape.rows * shape.columns)
            var scratch: Int8 = 0
            a.withUnsafeBufferPointer { a in
                packed.withUnsafeBufferPointer { packed in
                    sums.withUnsafeMutableBufferPointer { sums in
                        Gemm(
                            a.baseAddress!, rows: shape.rows, rowStride: shape.depth, depth: shape.depth, packed: packed.baseAddress!,
                            columns: shape.columns, into: sums.baseAddress!, sumStride: shape.columns, scratch: &scratch
                        ).performReference(layout: layout)
                    }
                }
            }
            #expect(sums == plain(a, weights, shape))
        }
    }

    private func check(_ shape: Shape, activations: ClosedRange<Int8>) {
        var random = Generator(shape.rows * 1_000_003 + shape.columns * 1009 + shape.depth)
        check(shape, random.bytes(shape.rows * shape.depth, in: activations), random.bytes(shape.columns * shape.depth, in: -127...127))
    }

    private func check(_ shape: Shape, _ a: [Int8], _ weights: [Int8]) {
        let expected = plain(a, weights, shape)
        // Rows further apart than they are long, with noise between them that must be ignored.
        let stride = (shape.depth + 15) / 16 * 16 + 3
        let width = shape.columns + 5
        var spread = [Int8](repeating: 93, count: shape.rows * stride + 16)
        for row in 0..<shape.rows { spread.replaceSubrange(row * stride..<row * stride + shape.depth, with: a[row * shape.depth..<(row + 1) * shape.depth]) }
        for kernels in testedKernelSets + testedKernelSets.map(\.withSmallCaches) {
            let packed = pack(weights, shape, kernels.layout)
            var sums = [Int32](repeating: -77, count: shape.rows * width)
            kernels.gemm(
                spread, rows: shape.rows, rowStride: stride, depth: shape.depth, packed: packed, columns: shape.columns, into: &sums, sumStride: width)
            let written = (0..<shape.rows).flatMap { sums[$0 * width..<$0 * width + shape.columns] }
            #expect(written == expected, "\(kernels.name) \(shape.testDescription)")
            let isIntact = (0..<shape.rows).allSatisfy { sums[$0 * width + shape.columns..<($0 + 1) * width].allSatisfy { $0 == -77 } }
            #expect(isIntact, "\(kernels.name) \(shape.testDescription) wrote beside its columns")
        }
    }

    private func pack(_ weights: [Int8], _ shape: Shape, _ layout: PackedLayout) -> [Int8] {
        var packed = [Int8](repeating: 55, count: layout.byteCount(columns: shape.columns, depth: shape.depth))
        packWeights(weights, columns: shape.columns, depth: shape.depth, layout: layout, into: &packed)
        return packed
    }

    private func plain(_ a: [Int8], _ weights: [Int8], _ shape: Shape) -> [Int32] {
        var sums = [Int32](repeating: 0, count: shape.rows * shape.columns)
        a.withUnsafeBufferPointer { a in
            weights.withUnsafeBufferPointer { weights in
                for row in 0..<shape.rows {
                    for column in 0..<shape.columns {
                        var total: Int32 = 0
                        for k in 0..<shape.depth { total += Int32(a[row * shape.depth + k]) * Int32(weights[column * shape.depth + k]) }
                        sums[row * shape.columns + column] = total
                    }
                }
            }
        }
        return sums
    }
}
