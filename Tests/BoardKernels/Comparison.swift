import Kernels
import System

/// Runs the kernels of one kernel set and those of the scalar reference on the same random values.
struct Comparison {
    let kernels: KernelSet
    private(set) var passed = 0
    private(set) var failed = 0
    private var state: UInt64 = 1

    init(of kernels: KernelSet) {
        self.kernels = kernels
    }

    private static let reference = KernelSet.all[0]
    /// The value around the results, which must stay unchanged.
    private static let mark: Int32 = -77

    // MARK: - Shapes

    mutating func gemms() {
        for rows in 1...10 { for columns in 1...10 { for depth in 1...10 { gemm(rows, columns, depth) } } }
        let odd = [7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129]
        for columns in odd { for depth in odd { gemm(5, columns, depth) } }
        for rows in odd { gemm(rows, 33, 19) }
        gemm(3, 7, 32767)
        gemm(300, 1, 5)
        gemm(1, 700, 3)
        gemm(9, 96, 3072)
        gemm(250, 64, 256)
        for (rows, columns, depth, taps) in [(1, 1, 16, 3), (5, 65, 96, 3), (17, 130, 48, 3), (9, 33, 32, 5)] { gemm(rows, columns, depth, taps: taps) }
        for activation in [Int8(-128), 127] { for weight in [Int8(-127), 127] { gemm(9, 67, 130, activation: activation, weight: weight) } }
    }

    mutating func depthwiseConvolutions() {
        for height in 1...8 { for width in 1...8 { depthwise(height, width, 1 + (height * 8 + width) % 19) } }
        for channels in 1...34 { depthwise(4, 5, channels) }
        depthwise(9, 16, 96)
        depthwise(3, 40, 8)
        depthwise(40, 3, 7)
        for activation in [Int8(-128), 127] { for weight in [Int8(-127), 127] { depthwise(7, 7, 9, activation: activation, weight: weight) } }
    }

    mutating func attentions() {
        for keys in [1, 15, 64, 65, 257, 600] { for (heads, width) in [(2, 32), (1, 50), (3, 8)] { attention(11, keys, heads, width) } }
    }

    mutating func samplings() {
        for zeroPoint: Int32 in [-128, -9, 127] { for (heads, width) in [(8, 32), (8, 12), (1, 50), (3, 5)] { sampling(heads, width, zeroPoint) } }
    }

    /// With all operands 1, the sums of the register-only loop add up to the counted multiply-adds.
    mutating func peak() {
        let operands = [Int8](repeating: 1, count: 256)
        var sums = [Int32](repeating: 0, count: KernelSet.peakSums)
        let count = kernels.registerPeak(rounds: 3, operands: operands, into: &sums)
        judge(count > 0 && sums.reduce(0) { $0 + Int($1) } == count, "peak")
    }

    // MARK: - One comparison

    private mutating func gemm(_ rows: Int, _ columns: Int, _ depth: Int, taps: Int = 1, activation: Int8? = nil, weight: Int8? = nil) {
        // Rows further apart than they are long, with noise between them that must be ignored; rows in taps overlap.
        let stride = taps > 1 ? depth / 3 : (depth + 15) / 16 * 16 + 3
        let tapStride = (rows + 2) * stride
        let width = columns + 5
        let a = bytes(taps * tapStride + 3 * depth + 16, least: -128, all: activation)
        let weights = bytes(columns * taps * depth, least: -127, all: weight)
        func run(_ kernels: KernelSet) -> [Int32] {
            var packed = [Int8](repeating: 55, count: kernels.layout.byteCount(columns: columns, depth: taps * depth))
            packWeights(weights, columns: columns, depth: taps * depth, layout: kernels.layout, into: &packed)
            var sums = [Int32](repeating: Self.mark, count: rows * width)
            kernels.gemm(
                a, rows: rows, rowStride: stride, depth: depth, taps: taps, tapStride: tapStride, packed: packed, columns: columns, into: &sums,
                sumStride: width)
            return sums
        }
        let expected = run(Self.reference)
        judge(run(kernels) == expected, "gemm \(rows)x\(columns)x\(depth)x\(taps)")
        // With K in pieces.
        var small = kernels
        small.cores = [Core(firstLevel: 0, secondLevel: 0, issuesInOrder: false)]
        judge(run(small) == expected, "gemm \(rows)x\(columns)x\(depth)x\(taps) in pieces")
        small.cores = [Core(firstLevel: columns % 2 << 20, secondLevel: 0, issuesInOrder: true)]
        judge(run(small) == expected, "gemm \(rows)x\(columns)x\(depth)x\(taps) in order")
    }

    private mutating func depthwise(_ height: Int, _ width: Int, _ channels: Int, activation: Int8? = nil, weight: Int8? = nil) {
        let x = bytes(height * width * channels, least: -128, all: activation)
        let weights = bytes(49 * channels, least: -127, all: weight)
        func run(_ kernels: KernelSet) -> [Int32] {
            var y = [Int32](repeating: Self.mark, count: height * width * channels + 8)
            y.withUnsafeMutableBufferPointer { y in
                for row in 0..<height {
                    kernels.depthwise7x7(
                        x, height: height, width: width, channels: channels, weights: weights, row: row, into: y.baseAddress! + row * width * channels)
                }
            }
            return y
        }
        judge(run(kernels) == run(Self.reference), "depthwise \(height)x\(width)x\(channels)")
    }

    private mutating func attention(_ queries: Int, _ keys: Int, _ heads: Int, _ width: Int) {
        let channels = heads * width
        let words = (keys + 63) / 64
        // Keys and values in one array, with the bytes that may be read beyond their end.
        let q = kept(bytes(queries * channels + 16, least: -128, all: nil))
        let k = kept(bytes(2 * keys * channels + 16, least: -128, all: nil))
        let bits = bytes(queries * words * 8, least: -128, all: nil)
        // Half of the queries see one word of keys.
        let mask = kept(
            (0..<queries * words).map { index in
                index / words % 2 == 0 && index % words > 0
                    ? UInt64.max : (0..<8).reduce(0 as UInt64) { $0 << 8 | UInt64(UInt8(bitPattern: bits[index * 8 + $1])) }
            })
        let multipliers = kept([Float](repeating: 9, count: channels))
        func run(_ kernels: KernelSet) -> [Int8] {
            let result = kept([Int8](repeating: 55, count: queries * channels))
            let scratch = UnsafeMutableRawPointer.allocate(
                byteCount: IntegerAttention.scratch(keys: keys, headWidth: width, layout: kernels.layout), alignment: 64)
            for head in 0..<heads {
                let kernel = IntegerAttention(
                    queries: Int8Rows(q, rows: queries, stride: channels, scale: 0.02, zeroPoint: 3),
                    keys: Int8Rows(k, rows: keys, stride: channels, scale: 0.01, zeroPoint: -9),
                    values: Int8Rows(k + keys * channels, rows: keys, stride: channels, scale: 0.1, zeroPoint: 5),
                    head: head, headWidth: width, blocked: mask, wordsPerRow: words)
                kernel.perform(0..<queries, with: kernels, scratch: scratch, output: .int8(result, stride: channels, multiplier: multipliers, zeroPoint: 1))
            }
            defer {
                scratch.deallocate()
                result.deallocate()
            }
            return Array(UnsafeBufferPointer(start: result, count: queries * channels))
        }
        defer {
            q.deallocate()
            k.deallocate()
            mask.deallocate()
            multipliers.deallocate()
        }
        judge(run(kernels) == run(Self.reference), "attention \(queries)x\(keys), \(heads) heads of \(width)")
    }

    /// Integer sums of int8 values against float sums of the same values.
    private mutating func sampling(_ heads: Int, _ width: Int, _ zeroPoint: Int32) {
        let channels = heads * width
        let points = 4
        let samples = heads * 2 * points
        let total = 30
        let values = kept(bytes(total * channels, least: -128, all: nil))
        let floats = kept((0..<total * channels).map { Float(Int32(values[$0]) - zeroPoint) })
        let offsets = kept(bytes(total * samples * 2, least: -128, all: nil).map { Float($0) / 13 })
        let weights = kept(bytes(total * samples, least: 0, all: nil).map { Float($0) / 127 })
        let scratch = kept([Float](repeating: 0, count: SampledAttention.scratchCount(samples: samples)))
        let sizes = kept([Size(height: 2, width: 3), Size(height: 4, width: 6)])
        let starts = kept([0, 6])
        defer {
            values.deallocate()
            for pointer in [floats, offsets, weights, scratch] { pointer.deallocate() }
            sizes.deallocate()
            starts.deallocate()
        }
        func run(_ kernels: KernelSet, _ values: SampledAttention.Values) -> [Float] {
            let result = kept([Float](repeating: 55, count: total * channels))
            defer { result.deallocate() }
            kernels.perform(
                .sampledAttention(
                    SampledAttention(
                        values, levels: Levels(sizes: sizes, starts: starts, count: 2), heads: heads, points: points,
                        offsets: Matrix(offsets, rows: total, columns: 2 * samples), weights: Matrix(weights, rows: total, columns: samples), rows: 0..<total,
                        scratch: scratch, into: Matrix(result, rows: total, columns: channels))))
            return Array(UnsafeBufferPointer(start: result, count: total * channels))
        }
        let found = run(kernels, .int8(Int8Rows(values, rows: total, stride: channels, scale: 1, zeroPoint: zeroPoint)))
        let expected = run(Self.reference, .floats(Matrix(floats, rows: total, columns: channels)))
        // The largest sums are 2040.
        judge(zip(found, expected).allSatisfy { ($0 - $1).magnitude < 0.002 }, "sampling of \(heads) heads of \(width), zero point \(zeroPoint)")
    }

    /// The values at an address that stays valid until it is deallocated.
    private func kept<Value>(_ values: [Value]) -> UnsafeMutablePointer<Value> {
        let base = UnsafeMutablePointer<Value>.allocate(capacity: values.count)
        base.initialize(from: values, count: values.count)
        return base
    }

    private mutating func judge(_ isSame: Bool, _ what: String) {
        if isSame { passed += 1 } else { failed += 1 }
        if !isSame { Log.write("\(kernels.name): \(what) differs from the reference") }
    }

    /// `count` values of `least...127`, one in eight of them at either end; or all the same.
    private mutating func bytes(_ count: Int, least: Int, all: Int8?) -> [Int8] {
        if let all { return [Int8](repeating: all, count: count) }
        var bytes = [Int8](repeating: 0, count: count)
        for index in 0..<count {
            // Knuth's MMIX generator; its high bits are the most random.
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let random = Int(state >> 40)
            switch random % 8 {
            case 0: bytes[index] = Int8(least)
            case 1: bytes[index] = 127
            default: bytes[index] = Int8(least + random / 8 % (128 - least))
            }
        }
        return bytes
    }
}

extension KernelSet {
    /// `Gemm` over arrays: pointers that Swift makes of arrays are valid during the call. The columns behind the first panel are a product of their own.
    func gemm(
        _ a: UnsafePointer<Int8>, rows: Int, rowStride: Int, depth: Int, taps: Int = 1, tapStride: Int = 0, packed: UnsafePointer<Int8>, columns: Int,
        into sums: UnsafeMutablePointer<Int32>, sumStride: Int
    ) {
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: Gemm.scratchCount(rows: rows, depth: depth, taps: taps), alignment: 64)
        defer { scratch.deallocate() }
        for first in stride(from: 0, to: columns, by: columnsPerPanel).prefix(2) {
            perform(
                Gemm(
                    a, rows: rows, rowStride: rowStride, depth: depth, taps: taps, tapStride: tapStride,
                    packed: packed + (first == 0 ? 0 : layout.panelBytes(depth: taps * depth)),
                    columns: first == 0 ? min(columnsPerPanel, columns) : columns - first, into: sums + first, sumStride: sumStride,
                    scratch: scratch.assumingMemoryBound(to: Int8.self), hasStagedRows: first > 0))
        }
    }

    /// `Depthwise7x7` over arrays.
    func depthwise7x7(
        _ x: UnsafePointer<Int8>, height: Int, width: Int, channels: Int, weights: UnsafePointer<Int8>, row: Int, into sums: UnsafeMutablePointer<Int32>
    ) {
        perform(Depthwise7x7(x, height: height, width: width, channels: channels, weights: weights, row: row, into: sums))
    }
}
