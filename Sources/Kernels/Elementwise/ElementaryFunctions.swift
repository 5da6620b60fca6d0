import CSIMD

// Elementary functions from additions, multiplications, divisions and bit operations alone: the same bits on every machine.
// Error bounds are checked against the C library's double precision in `Tests/KernelTests`.

/// e^x within 2 units in the last place. 0 below the smallest normal result (x < -87.33), infinite above x = 88.72.
@_transparent
public func exponential(_ x: Lanes) -> Lanes {
    // x = n ln 2 + r with |r| <= ln 2 / 2; e^r by its series to r^7.
    let bounded = smaller(larger(x, splat(-88)), splat(89))
    let shifted = bounded * 1.44269504 + 12_582_912
    let n = shifted - 12_582_912
    let r = (bounded - n * 0.693359375) - n * -2.12194440e-4
    var p = r * (1 / 5040) + (1 / 720)
    p = p * r + (1 / 120)
    p = p * r + (1 / 24)
    p = p * r + (1 / 6)
    p = p * r + 0.5
    p = p * (r * r) + r + 1
    // 2^n in two factors: n may be 128, beyond one float's exponent.
    let exponent = simd_subtract_words(unsafeBitCast(shifted, to: Words.self), simd_splat_words(0x4B40_0000))
    let half = simd_shift_right(exponent, 1)
    let result = p * powerOfTwo(half) * powerOfTwo(simd_subtract_words(exponent, half))
    return choose(splat(.infinity), choose(splat(0), result, where: x .< splat(-87.33654)), where: splat(88.72283) .< x)
}

/// 2^n for n of -126...127.
@usableFromInline @_transparent
func powerOfTwo(_ n: Words) -> Lanes {
    unsafeBitCast(simd_shift_left(simd_add_words(n, simd_splat_words(127)), 23), to: Lanes.self)
}

/// The normal distribution function less a half, erf(x / sqrt 2) / 2, within 4e-7 relative.
@_transparent
public func normalDistribution(_ x: FourLanes) -> FourLanes {
    normalDistribution(bounded: boundedBelow(x))
}

/// `x`, but at least the argument below which the normal distribution function is 0 to float precision.
@usableFromInline @_transparent
func boundedBelow(_ x: FourLanes) -> FourLanes {
    x.mapped { larger($0, splat(-5.5437002)) }
}

/// `normalDistribution` of a result of `boundedBelow`.
@usableFromInline @_transparent
func normalDistribution(bounded x: FourLanes) -> FourLanes {
    // x P(x^2) / Q(x^2), fitted for the least relative error over |x| <= 5.5437, where it is 1/2 to float precision; at the bound the
    // quotient is exactly 1/2.
    let bounded = x.mapped { smaller($0, splat(5.5437002)) }
    let t = bounded * bounded
    var p = t * 0.019028127193450928 + 5.288368225097656
    p = p * t + 139.8053741455078
    p = p * t + 3916.76220703125
    p = p * t + 28276.630859375
    p = p * t + 335142.5625
    var q = t + 61.03912353515625
    q = q * t + 1571.919189453125
    q = q * t + 23965.189453125
    q = q * t + 210891.71875
    q = q * t + 840077.8125
    return bounded * p / q
}

/// ln x within 2 units in the last place. -infinity for zero, NaN below it.
@_transparent
public func logarithm(_ x: Lanes) -> Lanes {
    // x = 2^e (1 + f), 1 + f in sqrt(1/2)...sqrt(2); ln(1 + f) = 2 artanh(s), s = f / (2 + f).
    let isSubnormal = x .< splat(1.1754944e-38)
    let scaled = choose(x * 8_388_608, x, where: isSubnormal)
    let bits = simd_subtract_words(unsafeBitCast(scaled, to: Words.self), simd_splat_words(0x3F35_04F3))
    let exponent = simd_shift_right(bits, 23)
    let fraction = simd_and_words(bits, simd_splat_words(0x007F_FFFF))
    let mantissa = unsafeBitCast(simd_add_words(fraction, simd_splat_words(0x3F35_04F3)), to: Lanes.self)
    let power = unsafeBitCast(simd_add_words(exponent, simd_splat_words(0x4B40_0000)), to: Lanes.self) - 12_582_912
    let e = choose(power - 23, power, where: isSubnormal)
    let f = mantissa - 1
    let s = f / (f + splat(2))
    let t = s * s
    var p = t * (2 / 9) + (2 / 7)
    p = p * t + (2 / 5)
    p = p * t + (2 / 3)
    p = p * t
    let small = e * -2.12194440e-4 - s * (f - p)
    let result = (small + f) + e * 0.693359375
    let finite = choose(splat(-.infinity), choose(splat(.infinity), result, where: x .== splat(.infinity)), where: x .== splat(0))
    return choose(finite, splat(.nan), where: splat(0) .<= x)
}

/// 1 / (1 + e^-x).
@_transparent
public func sigmoid(_ x: Lanes) -> Lanes {
    1 / (1 + exponential(0 - x))
}

// MARK: - One value, the same bits as a lane

/// The correctly rounded square root.
@_transparent
public func squareRoot(_ x: Float) -> Float { simd_square_root(x) }
public func exponential(_ x: Float) -> Float { exponential(splat(x))[0] }
public func normalDistribution(_ x: Float) -> Float {
    let lanes = splat(x)
    return normalDistribution(FourLanes(lanes, lanes, lanes, lanes)).a[0]
}
public func logarithm(_ x: Float) -> Float { logarithm(splat(x))[0] }
public func sigmoid(_ x: Float) -> Float { sigmoid(splat(x))[0] }

// MARK: - Double precision, for tables

/// sin x within 1e-15 for |x| < 1e5 (radians).
public func sine(_ x: Double) -> Double {
    let (quadrant, r) = quarterTurns(x)
    let value = quadrant & 1 == 0 ? sineSeries(r) : cosineSeries(r)
    return quadrant & 2 == 0 ? value : -value
}

/// cos x within 1e-15 for |x| < 1e5 (radians).
public func cosine(_ x: Double) -> Double {
    let (quadrant, r) = quarterTurns(x)
    let value = quadrant & 1 == 0 ? cosineSeries(r) : sineSeries(r)
    return (quadrant &+ 1) & 2 == 0 ? value : -value
}

/// x = quadrant * pi/2 + remainder; pi/2 in three parts of 33 bits, so that their multiples are exact (Cody and Waite).
private func quarterTurns(_ x: Double) -> (quadrant: Int64, remainder: Double) {
    let shifted = x * 0.63661977236758134308 + 6_755_399_441_055_744
    let n = shifted - 6_755_399_441_055_744
    let r = ((x - n * 1.57079632673412561417e+00) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21
    return (Int64(bitPattern: shifted.bitPattern), r)
}

private func sineSeries(_ r: Double) -> Double {
    let t = r * r
    var p = 1.0
    for k in stride(from: 9, through: 1, by: -1) { p = 1 - t * p / Double(2 * k * (2 * k + 1)) }
    return r * p
}

private func cosineSeries(_ r: Double) -> Double {
    let t = r * r
    var p = 1.0
    for k in stride(from: 9, through: 1, by: -1) { p = 1 - t * p / Double(2 * k * (2 * k - 1)) }
    return p
}
