import Kernels
import Network

/// An arithmetic whose scratch memory is an arena and whose threads are a pool.
public protocol ScratchArithmetic: Arithmetic {
    var arena: Arena { get }
    var pool: ThreadPool { get }
    /// Called with the name and values of every intermediate tensor.
    var trace: ((String, Matrix) -> Void)? { get }
}

extension ScratchArithmetic {
    public func matrix(rows: Int, columns: Int) -> Matrix {
        Matrix(arena.take(Float.self, count: rows * columns), rows: rows, columns: columns)
    }

    public func scratch<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        arena.take(type, count: count)
    }

    public func words(_ count: Int) -> UnsafeMutablePointer<UInt64> {
        let words = arena.take(UInt64.self, count: count)
        compute { words.update(repeating: 0, count: count) }
        return words
    }

    public func reserve(shared: Int, perThread: Int) { arena.reserve(shared) }
    public func mark() -> ScratchMark { arena.mark() }
    public func release(_ mark: ScratchMark) { arena.release(mark) }

    public func withScratch(in memory: Matrix, _ body: () -> Void) -> Int {
        (arena.lending(memory.base, count: memory.count * MemoryLayout<Float>.stride, body) + 3) / MemoryLayout<Float>.stride
    }

    public func parallel(_ count: Int, _ body: (Range<Int>) -> Void) {
        pool.ranges(count, body)
    }

    public func perform(_ kernel: FloatKernel) { KernelSet.best.perform(kernel) }

    public var isTracing: Bool { trace != nil }

    public func record(_ name: @autoclosure () -> String, _ values: Matrix) {
        trace?(name(), values)
    }
}
