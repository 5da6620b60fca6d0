/// Sixteen float32 lanes: the unit in which every float kernel works.
///
/// Sums over a row put element `i` in lane `i % 16` and add the lanes by the fixed tree of `sum(_:)`, so that every instruction
/// set gives the same bits whatever its register width. Nothing here contracts a multiply and an add into one rounding.
public typealias Lanes = SIMD16<Float>

/// Reads 16 values at `pointer`.
@inlinable @inline(__always)
public func load(_ pointer: UnsafePointer<Float>) -> Lanes {
    UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
}

/// Reads `count` (0...15) values at `pointer`; the other lanes hold `fill`.
@inlinable @inline(__always)
public func load(_ pointer: UnsafePointer<Float>, count: Int, fill: Float = 0) -> Lanes {
    var lanes = Lanes(repeating: fill)
    withUnsafeMutableBytes(of: &lanes) { $0.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: count * 4)) }
    return lanes
}

/// Writes 16 values at `pointer`.
@inlinable @inline(__always)
public func store(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: Lanes.self)
}

/// Writes the first `count` (0...15) lanes at `pointer`.
@inlinable @inline(__always)
public func store(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Float>, count: Int) {
    withUnsafeBytes(of: lanes) { UnsafeMutableRawPointer(pointer).copyMemory(from: $0.baseAddress!, byteCount: count * 4) }
}

/// The sum of the lanes: halves are added, then halves of the halves.
@inlinable @inline(__always)
public func sum(_ lanes: Lanes) -> Float {
    let eight = lanes.lowHalf + lanes.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
}

/// The larger of each pair of lanes; `a` where either is not a number.
@inlinable @inline(__always)
public func larger(_ a: Lanes, _ b: Lanes) -> Lanes {
    a.replacing(with: b, where: a .< b)
}

/// The smaller of each pair of lanes; `a` where either is not a number.
@inlinable @inline(__always)
public func smaller(_ a: Lanes, _ b: Lanes) -> Lanes {
    a.replacing(with: b, where: a .> b)
}

/// The largest lane of `lanes`, none of which is NaN.
@inlinable @inline(__always)
public func largest(_ lanes: Lanes) -> Float {
    let eight = lanes.lowHalf.replacing(with: lanes.highHalf, where: lanes.lowHalf .< lanes.highHalf)
    let four = eight.lowHalf.replacing(with: eight.highHalf, where: eight.lowHalf .< eight.highHalf)
    let two = four.lowHalf.replacing(with: four.highHalf, where: four.lowHalf .< four.highHalf)
    return two.x < two.y ? two.y : two.x
}

/// Lane by lane `Float(value)`. The standard library's conversion is the same, but is not always inlined.
@inlinable @inline(__always)
func widened(_ values: SIMD16<Int8>) -> Lanes {
    var lanes = Lanes()
    for lane in 0..<16 { lanes[lane] = Float(values[lane]) }
    return lanes
}

/// Calls `full` for each whole group of 16 indices below `count`, then `rest` with what remains (1...15), if anything.
@inlinable @inline(__always)
func forEachGroup(_ count: Int, _ full: (_ start: Int) -> Void, rest: (_ start: Int, _ count: Int) -> Void) {
    var start = 0
    while start + 16 <= count {
        full(start)
        start += 16
    }
    if start < count { rest(start, count - start) }
}

/// Replaces each of `count` values by `body` of it. `body` sees zeros in lanes beyond the end.
@inlinable @inline(__always)
func transform(_ x: UnsafeMutablePointer<Float>, count: Int, _ body: (Lanes) -> Lanes) {
    forEachGroup(count) { store(body(load(x + $0)), x + $0) } rest: { store(body(load(x + $0, count: $1)), x + $0, count: $1) }
}
