/// An orthogonal matrix that spreads every channel over all others: R = H D H, with H a Walsh-Hadamard matrix of length 1 and D signs (QuaRot,
/// arXiv 2404.00456, rotates language models so).
///
/// Mask logits are products of mask embeddings with mask features, which rotating both does not change. The features' mean under a mask is
/// also read by a LayerNorm: D begins with +1, so that R leaves the vector of ones, and with it mean and variance, as they are; the layer
/// behind the LayerNorm is rotated back. Both operands have one int8 scale for all channels, so a channel far larger than the others would
/// cost these their resolution.
enum MaskRotation {
    /// R x in place; the count is any multiple of the block that is rotated.
    static func rotate(_ values: inout [Float]) {
        // The largest power of two that divides the count.
        let block = values.count & -values.count
        var start = 0
        while start < values.count {
            transform(&values, start..<start + block)
            for index in 1..<max(block, 1) where isNegative(index) { values[start + index] = -values[start + index] }
            transform(&values, start..<start + block)
            start += block
        }
    }

    static func rotateResults(of layer: inout FloatWeights) {
        var column = [Float](repeating: 0, count: layer.columns)
        for position in 0..<layer.depth {
            for index in 0..<layer.columns { column[index] = layer.weights[index * layer.depth + position] }
            rotate(&column)
            for index in 0..<layer.columns { layer.weights[index * layer.depth + position] = column[index] }
        }
        rotate(&layer.bias)
    }

    /// R is its own inverse.
    static func rotateInputs(of layer: inout FloatWeights) {
        for column in 0..<layer.columns {
            var row = Array(layer.weights[column * layer.depth..<(column + 1) * layer.depth])
            rotate(&row)
            layer.weights.replaceSubrange(column * layer.depth..<(column + 1) * layer.depth, with: row)
        }
    }

    /// Signs without a pattern that a Walsh function has: the highest bit of a mixed index.
    private static func isNegative(_ index: Int) -> Bool {
        let mixed = UInt32(truncatingIfNeeded: index) &* 2_654_435_769
        return ((mixed ^ (mixed >> 15)) &* 2_246_822_519) >> 31 == 1
    }

    /// The Walsh-Hadamard transform of `range`, divided by the square root of its length.
    private static func transform(_ values: inout [Float], _ range: Range<Int>) {
        var width = 1
        while width < range.count {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: 2 * width) {
                for index in start..<start + width {
                    (values[index], values[index + width]) = (values[index] + values[index + width], values[index] - values[index + width])
                }
            }
            width *= 2
        }
        let factor = 1 / Float(range.count).squareRoot()
        for index in range { values[index] *= factor }
    }
}
