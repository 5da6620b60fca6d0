import Kernels

/// One text embedding a name: `rows` x `columns` float32 values, in rows of length 1. Owns them.
public final class NameEmbeddings: @unchecked Sendable {
    public let rows: Int
    /// Width of CLIP's joint embedding.
    public let columns: Int
    private let base: UnsafeMutablePointer<Float>

    /// All zero. To be filled through `withValues` before anybody else has it.
    public init(rows: Int, columns: Int) {
        self.rows = rows
        self.columns = columns
        base = .allocate(capacity: max(rows * columns, 1))
        base.initialize(repeating: 0, count: max(rows * columns, 1))
    }

    /// Calls `body` with the values, which live as long as the call at least.
    public func withValues<Result, Failure: Error>(_ body: (Matrix) throws(Failure) -> Result) throws(Failure) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(Matrix(base, rows: rows, columns: columns))
    }

    deinit { base.deallocate() }
}
