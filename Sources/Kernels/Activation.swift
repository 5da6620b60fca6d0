/// What a product applies to its result before the next step reads it.
public enum Activation: Sendable {
    case none, relu, gelu
}

/// x * Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016, exact form by the error function), in place.
public func gelu(_ x: UnsafeMutablePointer<Float>, count: Int) {
    transform(x, count: count) { gelu(FourLanes($0, $0, $0, $0)).a }
}

@usableFromInline @_transparent
func gelu(_ x: FourLanes) -> FourLanes {
    x * 0.5 * (errorFunction(x * 0.70710678) + 1)
}

/// max(x, 0) in place.
public func relu(_ x: UnsafeMutablePointer<Float>, count: Int) {
    transform(x, count: count) { larger($0, splat(0)) }
}

/// e^x / sum(e^x) over `count` values in place, the largest subtracted first. Values of -infinity become 0 as long as one is finite.
public func softmax(_ x: UnsafeMutablePointer<Float>, count: Int) {
    softmax(x, count: count, Portable.self)
}

@inlinable @inline(__always)
func softmax<Path>(_ x: UnsafeMutablePointer<Float>, count: Int, _ path: Path.Type) {
    guard count > 0 else { return }
    if count <= 16 {
        // Deformable attention has hundreds of thousands of these.
        let values = load(x, count: count, fill: -.infinity)
        let exponentials = exponential(values - splat(largest(values)))
        return store(exponentials * (1 / sum(exponentials)), x, count: count)
    }
    let total = exponentials(x, count: count, path)
    let factor = 1 / total
    transform(x, count: count) { $0 * factor }
}

/// Replaces each x by e^(x - max) and returns their sum.
@inlinable @inline(__always)
func exponentials<Path>(_ x: UnsafeMutablePointer<Float>, count: Int, _: Path.Type) -> Float {
    var highest = splat(-.infinity)
    forEachGroup(count) { highest = larger(load(x + $0), highest) } rest: {
        highest = larger(load(x + $0, count: $1, fill: -.infinity), highest)
    }
    let top = splat(largest(highest))
    var total = splat(0)
    forEachGroup(count) {
        let value = exponential(load(x + $0) - top)
        store(value, x + $0)
        total += value
    } rest: {
        let value = exponential(load(x + $0, count: $1, fill: -.infinity) - top)
        store(value, x + $0, count: $1)
        total += value
    }
    return sum(total)
}
