import Dispatch
import Foundation
import Kernels

// What is done row by row between the matrix products.

/// Calls `body` for 0..<count on all cores, in no particular order.
func parallel(_ count: Int, _ body: (Int) -> Void) {
    let chunk = 16
    withoutActuallyEscaping(body) { body in
        // The rows that calls write to are disjoint.
        nonisolated(unsafe) let body = body
        DispatchQueue.concurrentPerform(iterations: (count + chunk - 1) / chunk) { index in
            for item in index * chunk..<min((index + 1) * chunk, count) { body(item) }
        }
    }
}

/// LayerNorm of one row: to mean 0 and variance 1 (epsilon 1e-5), then scaled and shifted.
func normalize(_ input: UnsafePointer<Float>, _ weight: [Float], _ bias: [Float], _ output: UnsafeMutablePointer<Float>) {
    let count = weight.count
    // Sums in double: a channel or two of CLIP's residual stream are hundreds of times larger than the rest.
    var sum = 0.0
    for column in 0..<count { sum += Double(input[column]) }
    let mean = sum / Double(count)
    var squares = 0.0
    for column in 0..<count {
        let difference = Double(input[column]) - mean
        squares += difference * difference
    }
    let scale = Float(1 / (squares / Double(count) + 1e-5).squareRoot()), shift = Float(mean)
    for column in 0..<count { output[column] = (input[column] - shift) * scale * weight[column] + bias[column] }
}

/// x times the normal distribution's cumulative function: 0.5 x (1 + erf(x / sqrt 2)), exactly (Hendrycks and Gimpel 2016).
func geluInPlace(_ values: UnsafeMutablePointer<Float>, count: Int) {
    for index in 0..<count { values[index] *= 0.5 * (1 + erff(values[index] * 0.70710678)) }
}

/// Attention of every node of `tree` to itself and its ancestors.
///
/// - Parameter attention: a row a node: queries, keys and values of all heads, 64 channels each.
/// - Parameter output: a row a node: heads x 64.
func causalAttention(_ attention: Matrix, heads: Int, _ tree: PrefixTree, _ output: Matrix) {
    let width = heads * 64
    parallel(tree.count) { node in
        let path = tree.paths[tree.pathStarts[node]..<tree.pathStarts[node + 1]]
        withUnsafeTemporaryAllocation(of: Float.self, capacity: path.count) { weights in
            for head in 0..<heads {
                let query = HeadVector(attention.row(node) + head * 64)
                var largest = -Float.infinity
                for (index, ancestor) in path.enumerated() {
                    weights[index] = query.dot(HeadVector(attention.row(Int(ancestor)) + width + head * 64)) * 0.125
                    largest = max(largest, weights[index])
                }
                var sum: Float = 0
                for index in 0..<path.count {
                    weights[index] = expf(weights[index] - largest)
                    sum += weights[index]
                }
                var mean = HeadVector()
                for (index, ancestor) in path.enumerated() {
                    mean.add(HeadVector(attention.row(Int(ancestor)) + 2 * width + head * 64), times: weights[index] / sum)
                }
                mean.store(output.row(node) + head * 64)
            }
        }
    }
}

/// The 64 channels of one attention head.
private struct HeadVector {
    private var low: SIMD32<Float>, high: SIMD32<Float>

    init() {
        low = .zero
        high = .zero
    }

    init(_ base: UnsafePointer<Float>) {
        low = UnsafeRawPointer(base).loadUnaligned(as: SIMD32<Float>.self)
        high = UnsafeRawPointer(base + 32).loadUnaligned(as: SIMD32<Float>.self)
    }

    func dot(_ other: HeadVector) -> Float {
        (low * other.low + high * other.high).sum()
    }

    mutating func add(_ other: HeadVector, times factor: Float) {
        low += other.low * factor
        high += other.high * factor
    }

    func store(_ base: UnsafeMutablePointer<Float>) {
        UnsafeMutableRawPointer(base).storeBytes(of: low, as: SIMD32<Float>.self)
        UnsafeMutableRawPointer(base + 32).storeBytes(of: high, as: SIMD32<Float>.self)
    }
}
