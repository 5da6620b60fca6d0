/// The function that a GEMM applies to its results.
public enum Activation: Sendable {
    case none, relu, gelu
}

/// x * Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016, exact form by the error function), in place.
public func gelu(_ x: UnsafeMutablePointer<Float>, count: Int) {
    transform(x, count: count) { gelu(FourLanes($0, $0, $0, $0)).a }
}

@usableFromInline @_transparent
func gelu(_ x: FourLanes) -> FourLanes {
    // Below the bound the second factor is zero. Bounding x keeps the product from becoming NaN for an infinite x.
    let x = boundedBelow(x)
    return x * (normalDistribution(bounded: x) + 0.5)
}

/// max(x, 0) in place.
public func relu(_ x: UnsafeMutablePointer<Float>, count: Int) {
    transform(x, count: count) { larger($0, splat(0)) }
}

/// `softmax` of each of `count` runs of `width` values, one after the other, in place.
public struct Softmaxes {
    public let x: UnsafeMutablePointer<Float>
    public let count: Int
    public let width: Int

    @inlinable
    public init(_ x: UnsafeMutablePointer<Float>, count: Int, width: Int) {
        (self.x, self.count, self.width) = (x, count, width)
    }

    @inlinable @inline(__always)
    func perform<Registers>(_ registers: Registers.Type) {
        guard width > 0, width <= 16 else {
            for index in 0..<count { softmax(x + index * width, count: width, registers) }
            return
        }
        // All four are read before any is written: a register also covers the start of the next run, and a load soon after an overlapping store stalls.
        for index in stride(from: 0, to: count, by: 4) {
            let last = count - 1
            let runs = FourLanes(run(index), run(min(index + 1, last)), run(min(index + 2, last)), run(min(index + 3, last)))
            let powers = runs.mapped { exponential($0 - splat(largest($0))) }
            powers.mapped { $0 * (1 / sum($0)) }.forEach(count - index) { store($0, x + (index + $1) * width, count: width) }
        }
    }

    @usableFromInline @_transparent
    func run(_ index: Int) -> Lanes { load(x + index * width, count: width, fill: -.infinity) }
}

/// e^x / sum(e^x) over `count` values in place, the largest subtracted first. Values of -infinity become 0 as long as one is finite.
public func softmax(_ x: UnsafeMutablePointer<Float>, count: Int) {
    softmax(x, count: count, Portable.self)
}

@inlinable @inline(__always)
func softmax<Registers>(_ x: UnsafeMutablePointer<Float>, count: Int, _ registers: Registers.Type) {
    guard count > 0 else { return }
    let total = exponentials(x, count: count, registers)
    let factor = 1 / total
    transform(x, count: count) { $0 * factor }
}

/// Replaces each x by e^(x - max) and returns their sum.
@inlinable @inline(__always)
func exponentials<Registers>(_ x: UnsafeMutablePointer<Float>, count: Int, _: Registers.Type) -> Float {
    let top = splat(largestValue(x, count: count))
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

/// x - log(sum(e^x)) over `count` values in place, the largest subtracted first.
public func logSoftmax(_ x: UnsafeMutablePointer<Float>, count: Int) {
    guard count > 0 else { return }
    let top = largestValue(x, count: count)
    var total = splat(0)
    forEachGroup(count) {
        total += exponential(load(x + $0) - top)
    } rest: {
        total += exponential(load(x + $0, count: $1, fill: -.infinity) - top)
    }
    let logarithmOfSum = logarithm(sum(total))
    transform(x, count: count) { $0 - top - logarithmOfSum }
}

/// The largest of `count` values, -infinity where there are none.
@inlinable @inline(__always)
func largestValue(_ x: UnsafePointer<Float>, count: Int) -> Float {
    var highest = splat(-.infinity)
    forEachGroup(count) {
        highest = larger(load(x + $0), highest)
    } rest: {
        highest = larger(load(x + $0, count: $1, fill: -.infinity), highest)
    }
    return largest(highest)
}

/// The largest magnitude of `count` values.
@inlinable @inline(__always)
func largestMagnitude(_ x: UnsafePointer<Float>, count: Int) -> Float {
    var highest = splat(0)
    forEachGroup(count) {
        let group = load(x + $0)
        highest = larger(larger(group, highest), splat(0) - group)
    } rest: {
        let group = load(x + $0, count: $1)
        highest = larger(larger(group, highest), splat(0) - group)
    }
    return largest(highest)
}

/// Divides `count` values by their largest magnitude, at least 1e-12, in place, and returns it.
public func divideByLargest(_ x: UnsafeMutablePointer<Float>, count: Int) -> Float {
    let divisor = max(largestMagnitude(x, count: count), 1e-12)
    let factor = 1 / divisor
    transform(x, count: count) { $0 * factor }
    return divisor
}
