import Kernels
import Runtime
import System

/// Every kernel of the one list that this machine can run, on some shapes of FC-CLIP with ConvNeXt-L and with RN50 at 512x512, on one thread.
public struct KernelBenchmark {
    public struct Rate {
        public let kernels: StaticString
        /// Multiply-adds, or values, a second.
        public let rate: Double
    }

    public struct Row {
        public let name: String
        /// In the order of `KernelSet.all`.
        public let rates: [Rate]
    }

    /// The peak of each.
    public let peaks: [Rate]
    public let rows: [Row]
    /// Kernels without products, by values a second.
    public let valueRows: [Row]

    /// Rows, columns, depth.
    private static let gemms: [(Int, Int, Int)] = [
        (256, 3072, 768), (256, 768, 3072), (256, 1536, 6144), (1024, 256, 256), (250, 256, 256), (1024, 544, 256), (1024, 192, 48),
    ]
    /// Keys of attention.
    private static let attention = [250, 4096]
    private static let queries = 250
    /// Maps of deformable sampling.
    private static let levels = [16, 32, 64].map { Size(height: $0, width: $0) }
    /// Height, width, channels: RN50's stem, then its stages.
    private static let convolutions: [(Int, Int, Int)] = [(256, 256, 32), (128, 128, 64), (64, 64, 128), (32, 32, 256), (16, 16, 512)]
    /// Height, width, channels.
    private static let depthwise: [(Int, Int, Int)] = [(128, 128, 192), (64, 64, 384), (32, 32, 768), (16, 16, 1536)]

    public init() {
        let kernelSets = KernelSet.all.filter { $0.isSupported }.map { $0.fitted }
        let pool = ThreadPool(threads: 1)
        peaks = kernelSets.map { Rate(kernels: $0.name, rate: measuredPeak(of: $0, on: pool)) }
        var rows: [Row] = []
        for (count, columns, depth) in Self.gemms {
            rows.append(Row(name: "gemm \(count)x\(columns)x\(depth)", rates: kernelSets.map { Self.gemm($0, count, columns, depth) }))
        }
        for (height, width, channels) in Self.convolutions {
            rows.append(Row(name: "3x3, \(height)x\(width)x\(channels)", rates: kernelSets.map { Self.convolution($0, height, width, channels) }))
        }
        for (height, width, channels) in Self.depthwise {
            rows.append(Row(name: "depthwise 7x7, \(height)x\(width)x\(channels)", rates: kernelSets.map { Self.depthwise($0, height, width, channels) }))
        }
        for keys in Self.attention {
            rows.append(Row(name: "attention \(Self.queries)x\(keys), a head of 32", rates: kernelSets.map { Self.attention($0, keys: keys) }))
        }
        rows.append(Row(name: "sampling at \(Self.levels.reduce(0) { $0 + $1.area }) pixels, 8 heads of 32", rates: kernelSets.map { Self.sampling($0) }))
        self.rows = rows
        valueRows = Self.withArena { arena in
            Self.valueKernels(arena).map { kernel in
                Row(
                    name: kernel.name,
                    rates: kernelSets.map { kernels in
                        Self.rate(kernels, operations: kernel.values) {
                            for part in kernel.kernels { kernels.perform(part) }
                        }
                    })
            }
        }
    }

    private static func gemm(_ kernels: KernelSet, _ rows: Int, _ columns: Int, _ depth: Int) -> Rate {
        withArena { arena in
            let stride = (depth + 15) / 16 * 16
            let a = noise(rows * stride, arena)
            let weights = noise(columns * depth, arena)
            let packed = arena.take(Int8.self, count: kernels.layout.byteCount(columns: columns, depth: depth))
            let sums = arena.take(Int32.self, count: rows * columns)
            packWeights(weights, columns: columns, depth: depth, layout: kernels.layout, into: packed)
            let staging = arena.take(Int8.self, count: Gemm.scratchCount(rows: rows, depth: depth))
            return rate(kernels, operations: rows * columns * depth) {
                kernels.perform(
                    Gemm(a, rows: rows, rowStride: stride, depth: depth, packed: packed, columns: columns, into: sums, sumStride: columns, scratch: staging))
            }
        }
    }

    /// A 3x3 convolution with as many results as channels, in blocks of lines and columns as `IntegerArithmetic` takes them. What is computed for the
    /// border pixels between lines is not counted.
    private static func convolution(_ kernels: KernelSet, _ height: Int, _ width: Int, _ channels: Int) -> Rate {
        withArena { arena in
            let period = width + 1
            let tapDepth = 3 * channels
            let layout = kernels.layout
            let map = noise(((height + 2) * period + 1) * channels, arena)
            let weights = noise(channels * 3 * tapDepth, arena)
            let packed = arena.take(Int8.self, count: layout.byteCount(columns: channels, depth: 3 * tapDepth))
            packWeights(weights, columns: channels, depth: 3 * tapDepth, layout: layout, into: packed)
            let block = max(1, 64 / layout.columnsPerPanel) * layout.columnsPerPanel
            let lines = max(1, 64 / width)
            let sums = arena.take(Int32.self, count: (lines * period - 1) * block)
            let staging = arena.take(Int8.self, count: Gemm.scratchCount(rows: lines * period - 1, depth: tapDepth, taps: 3))
            return rate(kernels, operations: height * width * 9 * channels * channels) {
                for line in stride(from: 0, to: height, by: lines) {
                    for column in stride(from: 0, to: channels, by: block) {
                        kernels.perform(
                            Gemm(
                                map + line * period * channels, rows: lines * period - 1, rowStride: channels, depth: tapDepth, taps: 3,
                                tapStride: period * channels, packed: packed + column / layout.columnsPerPanel * layout.panelBytes(depth: 3 * tapDepth),
                                columns: min(block, channels - column), into: sums, sumStride: block, scratch: staging,
                                hasStagedRows: column > 0))
                    }
                }
            }
        }
    }

    private static func depthwise(_ kernels: KernelSet, _ height: Int, _ width: Int, _ channels: Int) -> Rate {
        withArena { arena in
            let x = noise(height * width * channels, arena)
            let weights = noise(49 * channels, arena)
            let sums = arena.take(Int32.self, count: width * channels)
            return rate(kernels, operations: height * width * 49 * channels) {
                for row in 0..<height {
                    kernels.perform(Depthwise7x7(x, height: height, width: width, channels: channels, weights: weights, row: row, into: sums))
                }
            }
        }
    }

    private static func attention(_ kernels: KernelSet, keys: Int) -> Rate {
        withArena { arena in
            let width = 32
            let stride = 256
            let rows = [queries, keys, keys].map { Int8Rows(noise($0 * stride, arena), rows: $0, stride: stride, scale: 0.01, zeroPoint: 3) }
            let scratch = arena.take(bytes: IntegerAttention.scratch(keys: keys, headWidth: width, layout: kernels.layout))
            let result = arena.take(Float.self, count: queries * stride)
            let kernel = IntegerAttention(
                queries: rows[0], keys: rows[1], values: rows[2], head: 0, headWidth: width, blocked: nil, wordsPerRow: 0)
            return rate(kernels, operations: 2 * queries * keys * width) {
                kernel.perform(0..<queries, with: kernels, scratch: scratch, output: .floats(result, stride: stride))
            }
        }
    }

    private static func sampling(_ kernels: KernelSet) -> Rate {
        withArena { arena in
            let heads = 8
            let points = 4
            let channels = heads * 32
            let samples = heads * levels.count * points
            let sizes = arena.take(Size.self, count: levels.count)
            let starts = arena.take(Int.self, count: levels.count)
            var total = 0
            for (index, level) in levels.enumerated() {
                (sizes[index], starts[index]) = (level, total)
                total += level.area
            }
            let values = noise(total * channels, arena)
            let places = noise(total * samples * 2, arena)
            let offsets = arena.take(Float.self, count: total * samples * 2)
            let weights = arena.take(Float.self, count: total * samples)
            // Up to 9 pixels away.
            for index in 0..<total * samples * 2 { offsets[index] = Float(places[index]) * 0.07 }
            weights.update(repeating: 1 / Float(levels.count * points), count: total * samples)
            let kernel = SampledAttention(
                .int8(Int8Rows(values, rows: total, stride: channels, scale: 0.01, zeroPoint: 3)),
                levels: Levels(sizes: sizes, starts: starts, count: levels.count), heads: heads, points: points,
                offsets: Matrix(offsets, rows: total, columns: samples * 2), weights: Matrix(weights, rows: total, columns: samples), rows: 0..<total,
                scratch: arena.take(Float.self, count: SampledAttention.scratchCount(samples: samples)),
                into: Matrix(arena.take(Float.self, count: total * channels), rows: total, columns: channels))
            return rate(kernels, operations: total * samples * 4 * (channels / heads)) { kernels.perform(.sampledAttention(kernel)) }
        }
    }

    /// Calls `body` with memory that lives as long as the call.
    private static func withArena<Result>(_ body: (Arena) -> Result) -> Result {
        let arena = Arena()
        defer { withExtendedLifetime(arena) {} }
        return body(arena)
    }

    /// The best of some runs, of which there are at least three and no more than a fifth of a second's.
    private static func rate(_ kernels: KernelSet, operations: Int, _ body: () -> Void) -> Rate {
        let begin = monotonicMilliseconds()
        var least = Double.infinity
        var runs = 0
        while runs < 3 || (monotonicMilliseconds() - begin < 200 && runs < 1000) {
            let start = monotonicMilliseconds()
            body()
            least = min(least, monotonicMilliseconds() - start)
            runs += 1
        }
        return Rate(kernels: kernels.name, rate: Double(operations) / least * 1000)
    }

    private static func noise(_ count: Int, _ arena: Arena) -> UnsafeMutablePointer<Int8> {
        let values = arena.take(Int8.self, count: count)
        for index in 0..<count { values[index] = Int8(truncatingIfNeeded: ((index &* 2_654_435_761) >> 13) % 255 - 127) }
        return values
    }
}
