import Kernels
import ModelFormat
import Network
import System

/// The network's steps in int8.
///
/// A GEMM reads int8 values and int8 weights and sums in int32. Layers that a model file keeps in float32 are computed in 16 bits of two int8
/// halves (`HalvedRows`), several times faster than in float32. Results, normalisation, softmax and residual
/// streams are float32. The same model and picture give the same bytes on every instruction set and with any number of
/// threads.
public final class IntegerArithmetic: ScratchArithmetic, CountingArithmetic {
    /// Scale and zero point of a place where values become int8. Without them values stay in float32.
    public struct QuantizationPoint {
        public let channels: Int
        /// Nil where values stay in float32.
        let quantization: Quantization?

        /// Values that stay in float32.
        public static func float(channels: Int) -> QuantizationPoint { QuantizationPoint(channels: channels, quantization: nil) }

        /// Bytes of `count` values.
        func bytes(_ count: Int) -> Int { quantization == nil ? count * 4 : count }
    }

    struct Quantization {
        /// real = scale x (int8 - zeroPoint); of channel 0 where channels differ.
        let scale: Float
        let zeroPoint: Int32
        /// 1 / scale of each channel.
        let multipliers: UnsafePointer<Float>
        /// Scale of each channel.
        let scales: UnsafePointer<Float>
        /// Whether all channels have the same scale.
        let hasOneScale: Bool
    }

    /// Rows of int8 or float32 values, row-major and dense.
    public struct Operand {
        let base: UnsafeMutableRawPointer
        public let rows: Int
        public let columns: Int
        let point: QuantizationPoint

        /// Bytes between rows.
        var stride: Int { point.quantization == nil ? columns * 4 : columns }
        var bytes: UnsafeMutablePointer<Int8> { base.assumingMemoryBound(to: Int8.self) }
        var floats: Matrix { Matrix(base.assumingMemoryBound(to: Float.self), rows: rows, columns: columns) }
    }

    /// Columns of 16-bit weights (`HalvedRows`), packed for the chosen kernels.
    public struct Halves {
        let columns: Int
        /// Values of a column.
        let depth: Int
        let high, cross: UnsafePointer<Int8>
        let scales: UnsafePointer<Float>
    }

    /// A layer's weights, packed for the chosen kernels.
    public struct Linear {
        let columns: Int
        /// K: values of a row, `taps` times `tapDepth`.
        let depth: Int
        /// The pieces that a row is read in.
        public let taps: Int
        let bias: UnsafePointer<Float>
        let input: QuantizationPoint
        let kind: Kind

        /// Multiply-adds of one row.
        public var weightCount: Int { columns * depth }
        /// Values of one tap.
        public var tapDepth: Int { depth / taps }
        /// The same as int8 kernels read them, with zeros behind: several taps each begin at a multiple of 16.
        public var paddedTapDepth: Int { Self.padded(tapDepth, taps: taps) }

        static func padded(_ tapDepth: Int, taps: Int) -> Int { taps == 1 ? tapDepth : (tapDepth + 15) / 16 * 16 }

        enum Kind {
            /// `offset` compensates for the input's zero point in each column's sum, `scale` (input scale x weight
            /// scale) turns sums into values, `input` is the quantization of the operands.
            case int8(packed: UnsafePointer<Int8>, offset: UnsafePointer<Int32>, scale: UnsafePointer<Float>, input: Quantization)
            /// For float32 operands.
            case halves(Halves)
        }
    }

    public struct Depthwise {
        let channels: Int
        let weights: UnsafePointer<Int8>
        let offset: UnsafePointer<Int32>
        let scale: UnsafePointer<Float>
        let bias: UnsafePointer<Float>
    }

    public let model: ModelFile
    public private(set) var kernels: KernelSet
    public let pool: ThreadPool
    public private(set) var arena = Arena(chunkBytes: 1 << 20)
    /// Packed weights and small tables; they live as long as the arithmetic.
    let constants = Arena(chunkBytes: 1 << 20)
    /// Holds a layer's weights while they are packed; given back before the first picture.
    let staging = Staging()
    /// Scratch memory of each thread.
    private(set) var workers: [Arena]
    /// Whether steps only count the memory that they take.
    private var isCounting = false
    /// Called with the name and values of every intermediate tensor; for comparisons on the host.
    public var trace: ((String, Matrix) -> Void)?

    /// One block of memory that grows. Many blocks of different sizes would leave holes behind that the process keeps.
    final class Staging {
        private var block = UnsafeMutableRawBufferPointer(start: nil, count: 0)

        /// At least `bytes`, until the next call.
        func memory(bytes: Int) -> UnsafeMutableRawPointer {
            if block.count < bytes {
                block.deallocate()
                block = .allocate(byteCount: max(bytes, 4 << 20), alignment: Arena.alignment)
            }
            return block.baseAddress!
        }

        func clear() {
            block.deallocate()
            block = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        }

        deinit { block.deallocate() }
    }

    /// - Throws: when the machine has less free memory than the weights need.
    public init(_ model: ModelFile, kernels: KernelSet, threads: Int) throws(Fault) {
        self.model = model
        self.kernels = kernels
        pool = ThreadPool(threads: threads)
        workers = (0..<max(threads, 1)).map { _ in Arena(chunkBytes: 1 << 20) }
        let bytes = model.packedBytes(kernels.layout)
        try requireMemory(bytes, for: "\(model.file.path): its weights need")
        constants.reserve(bytes)
    }

    public func reserve(shared: Int, perThread: Int) {
        staging.clear()
        arena.reserve(shared)
        for worker in workers { worker.reserve(perThread) }
    }

    public func parallel(_ count: Int, _ body: (Range<Int>) -> Void) {
        if !isCounting { pool.ranges(count, body) }
    }

    public func compute(_ body: () -> Void) {
        if !isCounting { body() }
    }

    public func perform(_ kernel: FloatKernel) { kernels.perform(kernel) }

    /// The same code takes the same memory: kernels do nothing, and arenas hand out addresses only.
    public func count(_ work: () -> Void) -> (shared: Int, perThread: Int) {
        let (kernels, arena, workers, trace) = (self.kernels, self.arena, self.workers, self.trace)
        self.kernels = kernels.idle
        self.arena = .counting()
        self.workers = [.counting()]
        // Recording reads values.
        self.trace = nil
        isCounting = true
        work()
        let counted = (shared: self.arena.peak, perThread: self.workers[0].peak)
        (self.kernels, self.arena, self.workers, self.trace) = (kernels, arena, workers, trace)
        isCounting = false
        return counted
    }

    /// Bytes of packed weights and small tables, and of scratch memory so far.
    public var packedBytes: Int { constants.capacity }
    public var scratchBytes: Int { workers.reduce(arena.capacity) { $0 + $1.capacity } }

    /// As `parallel`, in blocks of `block` items (the last may be shorter), with the thread's own scratch memory.
    func blocks(_ count: Int, of block: Int, _ body: (Range<Int>, Arena) -> Void) {
        func perform(_ index: Int, _ scratch: Arena) {
            let mark = scratch.mark()
            body(index * block..<min((index + 1) * block, count), scratch)
            scratch.release(mark)
        }
        let blocks = (count + block - 1) / block
        guard !isCounting else {
            for index in 0..<blocks { perform(index, workers[0]) }
            return
        }
        pool.slots(blocks) { index, slot in perform(index, workers[slot]) }
    }

    // MARK: Looking inside

    public func record(_ name: @autoclosure () -> String, _ values: Operand) {
        guard let trace else { return }
        let mark = mark()
        trace(name(), self.values(values))
        release(mark)
    }

    /// The values that an operand represents, in float32.
    public func values(_ values: Operand) -> Matrix {
        let floats = matrix(rows: values.rows, columns: values.columns)
        for row in 0..<values.rows {
            for column in 0..<values.columns {
                if let quantization = values.point.quantization {
                    let steps = Int32(values.bytes[row * values.stride + column]) - quantization.zeroPoint
                    floats[row, column] = Float(steps) * quantization.scales[column]
                } else {
                    floats[row, column] = values.floats[row, column]
                }
            }
        }
        return floats
    }
}
