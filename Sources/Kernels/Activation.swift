/// x * Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016, exact form by the error function), in place.
public func gelu(_ x: UnsafeMutablePointer<Float>, count: Int) {
    transform(x, count: count) { $0 * 0.5 * (errorFunction($0 * 0.70710678) + 1) }
}

/// max(x, 0) in place.
public func relu(_ x: UnsafeMutablePointer<Float>, count: Int) {
    transform(x, count: count) { larger($0, Lanes(repeating: 0)) }
}

/// e^x / sum(e^x) over `count` values in place, the largest subtracted first. Values of -infinity become 0 as long as one is finite.
public func softmax(_ x: UnsafeMutablePointer<Float>, count: Int) {
    guard count > 0 else { return }
    let total = exponentials(x, count: count)
    let factor = 1 / total
    transform(x, count: count) { $0 * factor }
}

/// Replaces each x by e^(x - max) and returns their sum.
@inlinable @inline(__always)
func exponentials(_ x: UnsafeMutablePointer<Float>, count: Int) -> Float {
    var highest = Lanes(repeating: -.infinity)
    forEachGroup(count) { highest = larger(load(x + $0), highest) } rest: {
        highest = larger(load(x + $0, count: $1, fill: -.infinity), highest)
    }
    let top = Lanes(repeating: largest(highest))
    var total = Lanes(repeating: 0)
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
