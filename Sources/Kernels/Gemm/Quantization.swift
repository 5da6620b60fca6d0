import CSIMD

// Between float32 and int8: one multiply, one add, round half to even. Plain loops, one value at a time, that the compiler
// vectorises as it likes: no step depends on another value, so the bits cannot differ.

/// q = clamp(round half to even(x * multiplier + zero point), -128...127). NaN becomes -128.
///
/// - Parameters: `multiplier` is 1/scale of each of `count` channels; `zeroPoint` is -128...127.
public func quantize(
    _ x: UnsafePointer<Float>, multiplier: UnsafePointer<Float>, zeroPoint: Int32, count: Int, into y: UnsafeMutablePointer<Int8>
) {
    let zero = Float(zeroPoint)
    for i in 0..<count { y[i] = rounded(x[i] * multiplier[i] + zero) }
}

/// As above with one multiplier for all channels.
public func quantize(_ x: UnsafePointer<Float>, multiplier: Float, zeroPoint: Int32, count: Int, into y: UnsafeMutablePointer<Int8>) {
    let zero = Float(zeroPoint)
    for i in 0..<count { y[i] = rounded(x[i] * multiplier + zero) }
}

/// `rounded` of each lane.
@usableFromInline @_transparent
func rounded(_ values: Lanes) -> SIMD16<Int8> { simd_lanes_to_nearest_bytes(values) }

/// The nearest integer of -128...127, half to even; -128 for NaN.
@inline(__always)
private func rounded(_ value: Float) -> Int8 {
    let low = value > -128 ? value : -128
    let bounded = low < 127 ? low : 127
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
    return Int8(truncatingIfNeeded: Int32(bitPattern: (bounded + 12_582_912).bitPattern))
}
