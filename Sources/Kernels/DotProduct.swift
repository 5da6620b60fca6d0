/// The sum of x[i] y[i]: element `i` in lane `i % 16`, the lanes added by the fixed tree of `sum(_:)`.
public func dotProduct(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int) -> Float {
    var lanes = Lanes(repeating: 0)
    var index = 0
    while index + 16 <= count {
        lanes += load(x + index) * load(y + index)
        index += 16
    }
    if index < count { lanes += load(x + index, count: count - index) * load(y + index, count: count - index) }
    return sum(lanes)
}
