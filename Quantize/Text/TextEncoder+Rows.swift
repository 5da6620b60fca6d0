import Dispatch
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

/// Attention of every node of `tree` to itself and its ancestors.
///
/// - Parameter attention: a row a node: queries, keys and values of all heads, 64 channels each.
/// - Parameter output: a row a node: heads x 64.
func causalAttention(_ attention: Matrix, heads: Int, _ tree: PrefixTree, _ output: Matrix) {
    let width = heads * 64
    parallel(tree.count) { node in
        let path = tree.paths[tree.pathStarts[node]..<tree.pathStarts[node + 1]]
        withUnsafeTemporaryAllocation(of: Float.self, capacity: path.count) { weights in
            let base = weights.baseAddress!
            for head in 0..<heads {
                let query = attention.row(node) + head * 64
                for (index, ancestor) in path.enumerated() {
                    base[index] = dot64(query, attention.row(Int(ancestor)) + width + head * 64) * 0.125
                }
                softmax(base, count: path.count)
                let mean = output.row(node) + head * 64
                mean.update(repeating: 0, count: 64)
                for (index, ancestor) in path.enumerated() {
                    add64(attention.row(Int(ancestor)) + 2 * width + head * 64, times: base[index], to: mean)
                }
            }
        }
    }
}

/// x / (1 + e^(-1.702 x)) in place (Hendrycks and Gimpel 2016, the approximation by the logistic function).
/// - Parameter count: a multiple of 16.
func quickGELU(_ x: UnsafeMutablePointer<Float>, count: Int) {
    for start in stride(from: 0, to: count, by: 16) {
        let lanes = UnsafeMutableRawPointer(x + start)
        let value = lanes.loadUnaligned(as: Lanes.self)
        lanes.storeBytes(of: value * sigmoid(1.702 * value), as: Lanes.self)
    }
}

/// The inner product of 64 channels.
@inline(__always)
private func dot64(_ first: UnsafePointer<Float>, _ second: UnsafePointer<Float>) -> Float {
    var total = SIMD8<Float>.zero
    for start in stride(from: 0, to: 64, by: 8) { total += eight(first + start) * eight(second + start) }
    let four = total.lowHalf + total.highHalf
    return (four.x + four.y) + (four.z + four.w)
}

@inline(__always)
private func add64(_ row: UnsafePointer<Float>, times factor: Float, to sum: UnsafeMutablePointer<Float>) {
    for start in stride(from: 0, to: 64, by: 8) {
        UnsafeMutableRawPointer(sum + start).storeBytes(of: eight(sum + start) + eight(row + start) * factor, as: SIMD8<Float>.self)
    }
}

@inline(__always)
private func eight(_ base: UnsafePointer<Float>) -> SIMD8<Float> {
    UnsafeRawPointer(base).loadUnaligned(as: SIMD8<Float>.self)
}
