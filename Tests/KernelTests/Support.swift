import Foundation
import Kernels

/// SplitMix64 (Steele et al. 2014): the same values in every run.
struct Generator: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: Int) {
        state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func floats(_ count: Int, in range: ClosedRange<Float> = -2...2) -> [Float] {
        (0..<count).map { _ in Float.random(in: range, using: &self) }
    }

    /// Values of `range`, one in four of them at its ends.
    mutating func bytes(_ count: Int, in range: ClosedRange<Int8> = -128...127) -> [Int8] {
        (0..<count).map { _ in
            switch next() % 8 {
            case 0: range.lowerBound
            case 1: range.upperBound
            default: Int8.random(in: range, using: &self)
            }
        }
    }

    mutating func words(_ count: Int) -> [UInt64] {
        (0..<count).map { _ in next() & next() }
    }
}

/// A matrix that owns its memory. Values beyond the end are guarded: `isIntact` is false after a write there.
final class Map {
    let matrix: Matrix
    private static let guardCount = 32
    private static let mark: Float = -12345.678

    init(rows: Int, columns: Int, _ values: [Float]? = nil) {
        let base = UnsafeMutablePointer<Float>.allocate(capacity: rows * columns + Map.guardCount)
        base.initialize(repeating: Map.mark, count: rows * columns + Map.guardCount)
        if let values { base.update(from: values, count: rows * columns) }
        matrix = Matrix(base, rows: rows, columns: columns)
    }

    var values: [Float] { Array(UnsafeBufferPointer(start: matrix.base, count: matrix.count)) }
    var isIntact: Bool { (0..<Map.guardCount).allSatisfy { matrix.base[matrix.count + $0] == Map.mark } }

    deinit { matrix.base.deallocate() }
}

/// Values at a fixed address.
final class Stored<Value> {
    let base: UnsafeMutablePointer<Value>

    init(_ values: [Value]) {
        base = .allocate(capacity: values.count)
        base.initialize(from: values, count: values.count)
    }

    deinit { base.deallocate() }
}

/// Bytes that end at the start of an unreadable page.
final class Fenced {
    let base: UnsafeMutablePointer<Int8>
    private let pages: UnsafeMutableRawPointer
    private let length: Int

    init(_ values: [Int8]) {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        let inside = (values.count + page - 1) / page * page
        length = inside + page
        pages = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(mprotect(pages + inside, page, PROT_NONE) == 0)
        base = (pages + inside - values.count).bindMemory(to: Int8.self, capacity: values.count)
        base.initialize(from: values, count: values.count)
    }

    deinit { munmap(pages, length) }
}

/// sqrt(sum (a - b)^2 / sum b^2).
func relativeRMS(_ a: [Float], _ b: [Double]) -> Double {
    var error = 0.0
    var size = 0.0
    for (x, y) in zip(a, b) {
        error += (Double(x) - y) * (Double(x) - y)
        size += y * y
    }
    return (error / max(size, 1e-300)).squareRoot()
}

/// The largest absolute difference.
func largestError(_ a: [Float], _ b: [Double]) -> Double {
    zip(a, b).map { abs(Double($0) - $1) }.max() ?? 0
}

/// The kernel sets that this machine supports, the reference included.
let testedKernelSets = KernelSet.all.filter(\.isSupported)

extension KernelSet {
    /// The same for a core into whose caches little fits, so that K is divided into pieces.
    var withSmallCaches: KernelSet {
        var set = self
        set.cores = [Core(firstLevel: 0, secondLevel: 0, issuesInOrder: false)]
        return set
    }
}

/// Group normalization of a whole map in place, as the network puts it together from kernels.
func groupNorm(_ x: Matrix, groups: Int, weight: [Float], bias: [Float], activation: Activation) {
    let blockRows = ChannelMoments.blockRows
    let blocks = (x.rows + blockRows - 1) / blockRows
    let moments = Map(rows: 2 * blocks, columns: x.columns)
    let factors = Map(rows: 2, columns: x.columns)
    for block in 0..<blocks {
        KernelSet.best.perform(
            .channelMoments(
                ChannelMoments(
                    x.rows(block * blockRows..<min((block + 1) * blockRows, x.rows)), means: moments.matrix.row(2 * block),
                    squares: moments.matrix.row(2 * block + 1))))
    }
    groupFactors(
        moments.matrix, rows: x.rows, groups: groups, range: 0..<groups, epsilon: 1e-5, weight: weight, means: factors.matrix.row(0),
        factors: factors.matrix.row(1))
    bias.withUnsafeBufferPointer { bias in
        KernelSet.best.perform(
            .epilogue(
                Epilogue(
                    values: .normalized(x.base, means: factors.matrix.row(0), factors: factors.matrix.row(1)), valuesStride: x.columns, rows: 0..<x.rows,
                    columns: 0..<x.columns, bias: bias.baseAddress!, activation: activation, output: .floats(x.base, stride: x.columns))))
    }
    withExtendedLifetime((moments, factors)) {}
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
