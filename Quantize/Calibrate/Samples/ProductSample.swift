import Kernels
import Network

/// Operands of one product of activations: queries and keys of attention, or mask embeddings and mask features.
struct ProductSample {
    let width, heads: Int
    /// Rows x width.
    let left, right: [Float]
    /// left rows x right rows; empty where nothing is.
    let blocked: [Bool]
    /// Whether a softmax over each left row follows.
    let isAttention: Bool

    /// Rows of one run, evenly chosen: a few hundred of either side.
    init(_ run: FloatArithmetic.ProductRun) {
        func places(_ count: Int, _ most: Int) -> [Int] { (0..<min(count, most)).map { $0 * count / min(count, most) } }
        func values(_ matrix: Matrix, _ rows: [Int]) -> [Float] {
            rows.flatMap { UnsafeBufferPointer(start: matrix.row($0), count: matrix.columns) }
        }
        let lefts = places(run.left.rows, 64)
        let rights = places(run.right.rows, 384)
        (width, heads, isAttention) = (run.left.columns, run.heads, run.isAttention)
        left = values(run.left, lefts)
        right = values(run.right, rights)
        blocked =
            run.blocked.map { blocked in
                lefts.flatMap { query in rights.map { blocked.row(query)[$0 >> 6] >> UInt64($0 & 63) & 1 == 1 } }
            } ?? []
    }

    /// Other operands of the same shape.
    init(_ sample: ProductSample, left: [Float], right: [Float]) {
        (width, heads, blocked, isAttention) = (sample.width, sample.heads, sample.blocked, sample.isAttention)
        (self.left, self.right) = (left, right)
    }

    private var lefts: Int { left.count / width }
    private var rights: Int { right.count / width }

    /// The attention maps of all heads, or the products; of operands of this sample's shape.
    private func map(_ left: [Float], _ right: [Float]) -> [Float] {
        var result = [Float](repeating: 0, count: heads * lefts * rights)
        let headWidth = width / heads
        result.withUnsafeMutableBufferPointer { result in
            for head in 0..<heads {
                let own = result.baseAddress! + head * lefts * rights
                left.withUnsafeBufferPointer { left in
                    right.withUnsafeBufferPointer { right in
                        accumulateProduct(
                            left.baseAddress! + head * headWidth, rows: lefts, depth: headWidth, stride: width, right.baseAddress! + head * headWidth,
                            columns: rights, wStride: width, scale: isAttention ? 1 / Float(headWidth).squareRoot() : 1, beta: 0, into: own, yStride: rights)
                    }
                }
                guard isAttention else { continue }
                for row in 0..<lefts {
                    let scores = own + row * rights
                    if !blocked.isEmpty {
                        for key in 0..<rights where blocked[row * rights + key] { scores[key] = -1e9 }
                    }
                    softmax(scores, count: rights)
                }
            }
        }
        return result
    }

    /// Power of the error over power of the map, with `left` and `right` in place of the operands.
    func noise(left: [Float], right: [Float]) -> Double {
        let expected = map(self.left, self.right)
        let found = map(left, right)
        var power = 1e-30
        var noise = 0.0
        for (one, other) in zip(expected, found) {
            power += Double(one) * Double(one)
            noise += Double(one - other) * Double(one - other)
        }
        return noise / power
    }
}

extension QuantizationParameters {
    /// What `values`, channels fastest, become in int8.
    func applied(to values: [Float], channels: Int) -> [Float] {
        values.enumerated().map { index, value in
            let scale = scale(index % channels)
            let level = min(max((value / scale + Float(zeroPoint)).rounded(.toNearestOrEven), -128), 127)
            return (level - Float(zeroPoint)) * scale
        }
    }
}
