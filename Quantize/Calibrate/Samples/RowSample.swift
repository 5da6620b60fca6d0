import Kernels

/// Rows chosen evenly from all that were observed, the same for the same rows in the same order (reservoir sampling: Vitter 1985,
/// algorithm R).
public final class RowSample {
    public let columns: Int
    private let capacity: Int
    private var values: [Float] = []
    private var seen = 0
    private var state: UInt64

    public init(columns: Int, capacity: Int, seed: UInt64) {
        (self.columns, self.capacity, state) = (columns, capacity, seed)
    }

    public var rows: Int { values.count / columns }

    public func add(_ matrix: Matrix) {
        for row in 0..<matrix.rows {
            seen += 1
            let source = UnsafeBufferPointer(start: matrix.row(row), count: columns)
            if rows < capacity {
                values.append(contentsOf: source)
                continue
            }
            let place = Int(next() % UInt64(seen))
            guard place < capacity else { continue }
            values.withUnsafeMutableBufferPointer { ($0.baseAddress! + place * columns).update(from: source.baseAddress!, count: columns) }
        }
    }

    /// The rows, rows x `columns`; valid while `body` runs.
    public func withRows<Result>(_ body: (Matrix) -> Result) -> Result {
        values.withUnsafeMutableBufferPointer { buffer in
            // An empty array has no address.
            guard let base = buffer.baseAddress else {
                return withUnsafeTemporaryAllocation(of: Float.self, capacity: 1) { body(Matrix($0.baseAddress!, rows: 0, columns: columns)) }
            }
            return body(Matrix(base, rows: rows, columns: columns))
        }
    }

    /// SplitMix64.
    private func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// Rows of a layer's input on the calibration pictures: those that methods fit to, and those that judge the methods.
struct LayerSample {
    let fitted: RowSample
    let heldOut: RowSample

    init(depth: Int, capacity: Int, seed: UInt64) {
        fitted = RowSample(columns: depth, capacity: capacity, seed: seed)
        heldOut = RowSample(columns: depth, capacity: max(capacity / 2, 1), seed: ~seed)
    }
}
