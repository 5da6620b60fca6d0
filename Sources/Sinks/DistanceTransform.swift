import Kernels

/// How deep every pixel lies inside its segment: the city-block distance to the nearest pixel of another label or beyond
/// the picture, in two sweeps (Rosenfeld and Pfaltz 1966). Steps sideways and up or down have prices of their own: where
/// sideways steps are cheap, the deepest point has room for a line of text.
struct DistanceTransform {
    /// Row-major; at least the smaller price.
    let depths: [Int32]

    init(_ labels: [UInt16], _ size: Size, horizontal: Int32, vertical: Int32) {
        let width = size.width
        let height = size.height
        var depths = [Int32](repeating: 0, count: size.area)
        for y in 0..<height {
            for x in 0..<width {
                let index = y * width + x
                let label = labels[index]
                let left = x > 0 && labels[index - 1] == label ? depths[index - 1] : 0
                let above = y > 0 && labels[index - width] == label ? depths[index - width] : 0
                depths[index] = min(left + horizontal, above + vertical)
            }
        }
        for y in (0..<height).reversed() {
            for x in (0..<width).reversed() {
                let index = y * width + x
                let label = labels[index]
                let right = x + 1 < width && labels[index + 1] == label ? depths[index + 1] : 0
                let below = y + 1 < height && labels[index + width] == label ? depths[index + width] : 0
                depths[index] = min(depths[index], min(right + horizontal, below + vertical))
            }
        }
        self.depths = depths
    }

    /// The deepest pixel of every label up to `count`, by label; -1 where a label does not occur.
    func deepest(_ labels: [UInt16], count: Int) -> [Int] {
        var deepest = [Int](repeating: -1, count: count + 1)
        for index in labels.indices {
            let label = Int(labels[index])
            if label <= count, deepest[label] < 0 || depths[index] > depths[deepest[label]] { deepest[label] = index }
        }
        return deepest
    }
}
