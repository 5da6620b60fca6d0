import Kernels
import Testing

/// Every kernel set's float kernels against the portable ones, bit for bit.
@Suite struct FloatKernelTests {
    static let widths = [1, 3, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100, 192, 257]

    /// Runs the kernel that `kernel` makes for each kernel set on outputs of `count` values; all must equal those of the first kernel set.
    private func compare(_ what: String, count: Int, start: [Float]? = nil, _ kernel: (Map, UnsafeMutablePointer<Int8>) -> FloatKernel) {
        var expected: ([UInt32], [Int8])?
        for table in testedKernelSets {
            let floats = Map(rows: 1, columns: count, start ?? [Float](repeating: 7, count: count))
            var bytes = [Int8](repeating: 9, count: count + 32)
            bytes.withUnsafeMutableBufferPointer { table.perform(kernel(floats, $0.baseAddress!)) }
            let found = (floats.values.map(\.bitPattern), bytes)
            #expect(floats.isIntact && bytes.suffix(32).allSatisfy { $0 == 9 }, "\(table.name) \(what) wrote beyond its end")
            if let expected { #expect(found == expected, "\(table.name) \(what)") } else { expected = found }
        }
    }

    @Test(arguments: widths) func epilogues(_ columns: Int) {
        var random = Generator(columns)
        let rows = 5
        let count = rows * columns
        let sums = Stored((0..<count).map { _ in Int32.random(in: -3_000_000...3_000_000, using: &random) })
        let offset = Stored((0..<columns).map { _ in Int32.random(in: -9000...9000, using: &random) })
        let scale = Stored(random.floats(columns, in: 1e-7...1e-6))
        let bias = Stored(random.floats(columns))
        let table = Stored(random.floats((rows + columns) * columns))
        let multiplier = Stored(random.floats(columns, in: 1...40))
        let start = random.floats(count)
        defer { withExtendedLifetime((sums, offset, scale, bias, table, multiplier)) {} }
        func check(_ activation: Activation, _ tables: Bool, _ output: @escaping (Map, UnsafeMutablePointer<Int8>) -> RowOutput) {
            let terms = Epilogue.Table(vertical: table.base, horizontal: table.base + columns, period: 2, width: columns)
            compare("epilogue of \(columns)", count: count, start: start) { floats, bytes in
                .epilogue(
                    Epilogue(
                        values: .sums(sums.base, offset: offset.base, scale: scale.base), valuesStride: columns, rows: 0..<rows, columns: 0..<columns,
                        bias: bias.base, table: tables ? terms : nil, activation: activation, output: output(floats, bytes)))
            }
        }
        for activation in [Activation.none, .relu, .gelu] {
            check(activation, false) { floats, _ in .floats(floats.matrix.base, stride: columns) }
            check(activation, true) { floats, _ in .added(floats.matrix.base, stride: columns) }
            check(activation, true) { floats, _ in .rectifiedSum(floats.matrix.base, stride: columns) }
            check(activation, true) { _, bytes in .int8(bytes, stride: columns, multiplier: multiplier.base, zeroPoint: -7) }
        }
    }

    /// Written out one value at a time.
    @Test func epilogueMeaning() {
        let sums = Stored([5, -7, 1000, 3] as [Int32])
        let offset = Stored([1, 2] as [Int32])
        let vertical = Stored([10, 20, 30, 40] as [Float])
        let scale = Stored([0.5, 0.25] as [Float])
        let bias = Stored([1, -1] as [Float])
        defer { withExtendedLifetime((sums, offset, vertical, scale, bias)) {} }
        for table in testedKernelSets {
            func finish(_ output: RowOutput) {
                table.perform(
                    .epilogue(
                        Epilogue(
                            values: .sums(sums.base, offset: offset.base, scale: scale.base), valuesStride: 2, rows: 0..<2, columns: 0..<2, bias: bias.base,
                            table: .init(vertical: vertical.base, horizontal: nil, period: 1, width: 2), output: output)))
            }
            let y = Map(rows: 2, columns: 2, [1, 1, 1, 1])
            finish(.added(y.matrix.base, stride: 2))
            #expect(y.values == [15, 18.75, 532.5, 41.25], "\(table.name)")
            let rectified = Map(rows: 2, columns: 2, [-20, 1, -531.5, 1])
            finish(.rectifiedSum(rectified.matrix.base, stride: 2))
            #expect(rectified.values == [0, 18.75, 0, 41.25], "\(table.name)")
        }
    }

    @Test(arguments: widths) func norms(_ columns: Int) {
        var random = Generator(columns)
        let x = random.floats(4 * columns, in: -9...5)
        let weight = random.floats(columns)
        let bias = random.floats(columns)
        let multiplier = random.floats(columns, in: 1...60)
        x.withUnsafeBufferPointer { x in
            weight.withUnsafeBufferPointer { weight in
                bias.withUnsafeBufferPointer { bias in
                    compare("layer norm of \(columns)", count: 4 * columns) { floats, _ in
                        .layerNorm(
                            LayerNorm(
                                x.baseAddress!, rows: 1..<4, columns: columns, epsilon: 1e-6, weight: weight.baseAddress!, bias: bias.baseAddress!,
                                output: .floats(floats.matrix.base, stride: columns)))
                    }
                    multiplier.withUnsafeBufferPointer { multiplier in
                        compare("layer norm of \(columns) to int8", count: 4 * columns) { _, bytes in
                            .layerNorm(
                                LayerNorm(
                                    x.baseAddress!, rows: 0..<4, columns: columns, epsilon: 1e-6,
                                    output: .int8(bytes, stride: columns, multiplier: multiplier.baseAddress!, zeroPoint: 3)))
                        }
                        let matrix = Matrix(UnsafeMutablePointer(mutating: x.baseAddress!), rows: 4, columns: columns)
                        compare("quantization of \(columns)", count: 4 * columns) { _, bytes in
                            .quantize(matrix, rows: 0..<4, output: .int8(bytes, stride: columns, multiplier: multiplier.baseAddress!, zeroPoint: 100))
                        }
                    }
                }
            }
        }
        for runs in 1...4 {
            compare("\(runs) softmaxes of \(columns)", count: 4 * columns, start: x) { floats, _ in
                .softmaxes(Softmaxes(floats.matrix.base, count: runs, width: columns))
            }
        }
        // A value gives the same bits alone as with others, and the values behind are unchanged.
        let together = Map(rows: 5, columns: columns, x + x.prefix(columns))
        let alone = Map(rows: 5, columns: columns, x + x.prefix(columns))
        testedKernelSets.last!.perform(.softmaxes(Softmaxes(together.matrix.base, count: 4, width: columns)))
        for row in 0..<4 { softmax(alone.matrix.row(row), count: columns) }
        #expect(together.values.map(\.bitPattern) == alone.values.map(\.bitPattern))
    }

    @Test(arguments: widths) func moments(_ columns: Int) {
        var random = Generator(columns + 1)
        for rows in [1, 2, 5, 64] {
            let x = Map(rows: rows, columns: columns, random.floats(rows * columns, in: 3...5))
            compare("moments of \(rows)x\(columns)", count: 2 * columns) { floats, _ in
                .channelMoments(ChannelMoments(x.matrix, means: floats.matrix.base, squares: floats.matrix.base + columns))
            }
            let bias = Stored(random.floats(columns))
            let terms = Stored(random.floats(2 * columns))
            defer { withExtendedLifetime((x, bias, terms)) {} }
            for values in [Epilogue.Values.normalized(x.matrix.base, means: terms.base, factors: terms.base + columns), .floats(x.matrix.base)] {
                compare("epilogue of \(rows)x\(columns) floats", count: rows * columns) { floats, _ in
                    .epilogue(
                        Epilogue(
                            values: values, valuesStride: columns, rows: 0..<rows, columns: 0..<columns, bias: bias.base, activation: .gelu,
                            output: .floats(floats.matrix.base, stride: columns)))
                }
            }
        }
    }

    @Test(arguments: widths) func resizing(_ columns: Int) {
        var random = Generator(columns + 2)
        let from = Size(height: 3, width: 4)
        let x = Map(rows: from.area, columns: columns, random.floats(from.area * columns))
        for to in [Size(height: 6, width: 8), Size(height: 2, width: 3), Size(height: 1, width: 9)] {
            for line in 0..<to.height {
                compare("line \(line) of \(to.height)x\(to.width)x\(columns)", count: to.width * columns) { floats, _ in
                    .resizedLine(ResizedLine(x.matrix, from: from, to: to, line: line, into: floats.matrix.base))
                }
            }
        }
        withExtendedLifetime(x) {}
    }

    @Test(arguments: [1, 15, 16, 17, 63, 64, 65, 100, 128, 129, 1000]) func signs(_ count: Int) {
        var random = Generator(count)
        var values = random.floats(count)
        for special in [Float.nan, -.nan, .infinity, -.infinity, 0, -0.0, -.leastNonzeroMagnitude] {
            values[Int.random(in: 0..<count, using: &random)] = special
        }
        let x = Map(rows: 1, columns: count, values)
        defer { withExtendedLifetime(x) {} }
        for sign in [SignBits.Sign.negative, .positive] {
            let expected = (0..<(count + 63) / 64).map { word in
                (0..<64).reduce(UInt64(0)) { bits, bit in
                    let index = word * 64 + bit
                    guard index < count, sign == .negative ? values[index] < 0 : values[index] > 0 else { return bits }
                    return bits | 1 << UInt64(bit)
                }
            }
            for table in testedKernelSets {
                var words = [UInt64](repeating: .max, count: expected.count)
                words.withUnsafeMutableBufferPointer { table.perform(.signBits(SignBits(x.matrix.base, count: count, where: sign, into: $0.baseAddress!))) }
                #expect(words == expected, "\(table.name), \(count) values")
            }
        }
    }

    @Test(arguments: [(1, 1, 1), (2, 3, 17), (5, 4, 64), (7, 9, 100), (4, 2, 16), (3, 5, 15), (8, 8, 33), (13, 1, 48)]) func dotProducts(
        _ rows: Int, _ columns: Int, _ depth: Int
    ) {
        var random = Generator(rows * 100 + columns)
        let x = Map(rows: rows, columns: depth, random.floats(rows * depth))
        let weights = random.floats(columns * depth)
        weights.withUnsafeBufferPointer { weights in
            compare("\(rows)x\(columns)x\(depth) dot products", count: rows * columns) { floats, _ in
                .dotProducts(DotProducts(x.matrix, weights.baseAddress!, columns: columns, into: floats.matrix.base))
            }
            let y = Map(rows: rows, columns: columns)
            testedKernelSets.last!.perform(.dotProducts(DotProducts(x.matrix, weights.baseAddress!, columns: columns, into: y.matrix.base)))
            for row in 0..<rows {
                for column in 0..<columns {
                    #expect(y.matrix[row, column] == dotProduct(x.matrix.row(row), weights.baseAddress! + column * depth, count: depth))
                }
            }
        }
    }

    @Test(arguments: [(1, 1), (16, 16), (5, 17), (17, 5), (64, 250), (31, 33)]) func transposedSums(_ rows: Int, _ columns: Int) {
        var random = Generator(rows * 300 + columns)
        let stride = (columns + 15) / 16 * 16
        let count = columns * (rows + 3)
        let sums = Stored((0..<(rows + 15) / 16 * 16 * stride).map { _ in Int32.random(in: -3_000_000...3_000_000, using: &random) })
        let offset = Stored((0..<columns).map { _ in Int32.random(in: -9000...9000, using: &random) })
        defer { withExtendedLifetime((sums, offset)) {} }
        func kernel(_ y: Map) -> FloatKernel {
            .transposedSums(
                TransposedSums(
                    sums.base, stride: stride, rows: rows, columns: columns, offset: offset.base, scale: 0.37, into: y.matrix.base, stride: rows + 3))
        }
        compare("\(rows)x\(columns) sums transposed", count: count) { floats, _ in kernel(floats) }
        let y = Map(rows: columns, columns: rows + 3, [Float](repeating: 7, count: count))
        testedKernelSets.last!.perform(kernel(y))
        for column in 0..<columns {
            for row in 0..<rows + 3 {
                let value = row < rows ? Float(sums.base[row * stride + column] + offset.base[column]) * 0.37 : 7
                #expect(y.matrix[column, row] == value)
            }
        }
    }

    @Test(arguments: [(8, 32), (2, 8), (1, 40), (8, 12), (8, 16), (3, 5), (2, 49), (1, 3), (1, 17), (5, 1), (2, 65)]) func samplings(_ heads: Int, _ width: Int)
    {
        var random = Generator(heads)
        let sizes = [Size(height: 2, width: 3), Size(height: 4, width: 6)]
        let starts = [0, 6]
        let total = 30
        let channels = heads * width
        let points = 4
        let bytes = Stored(random.bytes(total * channels))
        let values = Map(rows: total, columns: channels, random.floats(total * channels))
        let offsets = Map(rows: total, columns: heads * 2 * points * 2, random.floats(total * heads * 2 * points * 2, in: -9...9))
        let weights = Map(rows: total, columns: heads * 2 * points, random.floats(total * heads * 2 * points, in: 0...1))
        let scratch = Map(rows: 1, columns: SampledAttention.scratchCount(samples: heads * 2 * points))
        let rows = [-128, -4, 127].map { Int8Rows(bytes.base, rows: total, stride: channels, scale: 0.1, zeroPoint: $0) }
        sizes.withUnsafeBufferPointer { sizes in
            starts.withUnsafeBufferPointer { starts in
                for kind in rows.map(SampledAttention.Values.int8) + [.floats(values.matrix)] {
                    compare("deformable sampling", count: total * channels) { floats, _ in
                        .sampledAttention(
                            SampledAttention(
                                kind, levels: Levels(sizes: sizes.baseAddress!, starts: starts.baseAddress!, count: 2), heads: heads, points: points,
                                offsets: offsets.matrix, weights: weights.matrix, rows: 0..<total, scratch: scratch.matrix.base,
                                into: Matrix(floats.matrix.base, rows: total, columns: channels)))
                    }
                }
            }
        }
        withExtendedLifetime((bytes, values, offsets, weights, scratch)) {}
    }
}
