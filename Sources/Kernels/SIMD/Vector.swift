import CSIMD

/// Sixteen float32 lanes: the unit in which every float kernel works.
///
/// Sums over a row put element `i` in lane `i % 16` and add the lanes by the fixed tree of `sum(_:)`, so that every instruction
/// set gives the same bits whatever its register width. Nothing here contracts a multiply and an add into one rounding.
///
/// Functions of lanes are `@_transparent`, which guarantees inlining: lanes are passed in the registers that a module is compiled for, so no call
/// with lanes may cross from an instruction set's module to this one.
public typealias Lanes = SIMD16<Float>

/// Code compiled for the registers that every processor of the architecture has.
public enum Portable: VectorRegisters {
    #if arch(arm64)
    @inlinable public static var registers: Int { 8 }
    #else
    @inlinable public static var registers: Int { 4 }
    #endif
}

// MARK: - Arithmetic

/// Sixteen times `value`.
@_transparent public func splat(_ value: Float) -> Lanes { simd_splat(value) }

@_transparent public func + (x: Lanes, y: Lanes) -> Lanes { simd_add(x, y) }
@_transparent public func - (x: Lanes, y: Lanes) -> Lanes { simd_subtract(x, y) }
@_transparent public func * (x: Lanes, y: Lanes) -> Lanes { simd_multiply(x, y) }
@_transparent public func / (x: Lanes, y: Lanes) -> Lanes { simd_divide(x, y) }
@_transparent public func + (x: Lanes, y: Float) -> Lanes { x + splat(y) }
@_transparent public func - (x: Lanes, y: Float) -> Lanes { x - splat(y) }
@_transparent public func * (x: Lanes, y: Float) -> Lanes { x * splat(y) }
@_transparent public func - (x: Float, y: Lanes) -> Lanes { splat(x) - y }
@_transparent public func / (x: Float, y: Lanes) -> Lanes { splat(x) / y }
@_transparent public func += (x: inout Lanes, y: Lanes) { x = x + y }
@_transparent public func *= (x: inout Lanes, y: Lanes) { x = x * y }

/// The result of comparisons: each word has all bits set or none.
public typealias Words = SIMD16<Int32>

@_transparent public func .< (x: Lanes, y: Lanes) -> Words { simd_less(x, y) }
@_transparent public func .<= (x: Lanes, y: Lanes) -> Words { simd_less_or_equal(x, y) }
@_transparent public func .== (x: Lanes, y: Lanes) -> Words { simd_equal(x, y) }

/// `x` where `mask` has its bits set, `y` elsewhere.
@_transparent public func choose(_ x: Lanes, _ y: Lanes, where mask: Words) -> Lanes { simd_choose(mask, x, y) }

// MARK: - Memory

/// Reads 16 values at `pointer`.
@_transparent
public func load(_ pointer: UnsafePointer<Float>) -> Lanes {
    UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
}

/// Reads `count` (0...16) values at `pointer`; the other lanes hold `fill`.
@_transparent
public func load(_ pointer: UnsafePointer<Float>, count: Int, fill: Float = 0) -> Lanes {
    if count == 16 { return load(pointer) }
    let lanes = simd_load(pointer, Int32(truncatingIfNeeded: count))
    return fill == 0 ? lanes : choose(lanes, splat(fill), where: simd_lanes_before(Int32(truncatingIfNeeded: count)))
}

/// Writes 16 values at `pointer`.
@_transparent
public func store(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: Lanes.self)
}

/// Writes the first `count` (0...16) lanes at `pointer`.
@_transparent
public func store(_ lanes: Lanes, _ pointer: UnsafeMutablePointer<Float>, count: Int) {
    if count == 16 { return store(lanes, pointer) }
    simd_store(lanes, pointer, Int32(truncatingIfNeeded: count))
}

/// The sum of the lanes: halves are added, then halves of the halves.
@_transparent
public func sum(_ lanes: Lanes) -> Float {
    simd_sum(lanes)
}

/// The larger of each pair of lanes; `a` where either is not a number.
@_transparent
public func larger(_ a: Lanes, _ b: Lanes) -> Lanes {
    choose(b, a, where: a .< b)
}

/// The smaller of each pair of lanes; `a` where either is not a number.
@_transparent
public func smaller(_ a: Lanes, _ b: Lanes) -> Lanes {
    choose(b, a, where: b .< a)
}

/// The largest lane of `lanes`, none of which is NaN.
@_transparent
public func largest(_ lanes: Lanes) -> Float { simd_largest(lanes) }

/// Reads the first `count` (0...16) lanes at `pointer`; the others hold 0.
@usableFromInline @_transparent
func load(_ pointer: UnsafePointer<Int32>, count: Int) -> SIMD16<Int32> {
    if count == 16 { return UnsafeRawPointer(pointer).loadUnaligned(as: SIMD16<Int32>.self) }
    return UnsafeRawPointer(pointer).withMemoryRebound(to: Float.self, capacity: count) {
        unsafeBitCast(simd_load($0, Int32(truncatingIfNeeded: count)), to: Words.self)
    }
}

/// Writes the first `count` (0...16) lanes at `pointer`.
@usableFromInline @_transparent
func store(_ lanes: SIMD16<Int8>, _ pointer: UnsafeMutablePointer<Int8>, count: Int) {
    if count == 16 { return UnsafeMutableRawPointer(pointer).storeBytes(of: lanes, as: SIMD16<Int8>.self) }
    withUnsafeBytes(of: lanes) { UnsafeMutableRawPointer(pointer).copyMemory(from: $0.baseAddress!, byteCount: count) }
}

/// Writes 16 values at `pointer`.
@usableFromInline @_transparent
func store(_ words: Words, _ pointer: UnsafeMutablePointer<Int32>) {
    UnsafeMutableRawPointer(pointer).storeBytes(of: words, as: Words.self)
}

/// Lane by lane `Float(value)`.
@usableFromInline @_transparent
func converted(_ values: Words) -> Lanes { simd_words_to_lanes(values) }

/// Calls `full` for each whole group of 16 indices below `count`, then `rest` with what remains (1...15), if anything.
@usableFromInline @_transparent
func forEachGroup(_ count: Int, _ full: (_ start: Int) -> Void, rest: (_ start: Int, _ count: Int) -> Void) {
    var start = 0
    while start + 16 <= count {
        full(start)
        start += 16
    }
    if start < count { rest(start, count - start) }
}

/// Replaces each of `count` values by `body` of it. Lanes beyond the end are zeros in its argument.
@usableFromInline @_transparent
func transform(_ x: UnsafeMutablePointer<Float>, count: Int, _ body: (Lanes) -> Lanes) {
    forEachGroup(count) {
        store(body(load(x + $0)), x + $0)
    } rest: {
        store(body(load(x + $0, count: $1)), x + $0, count: $1)
    }
}
