/// Four times sixteen lanes: four independent chains of operations; one chain alone would leave the processor idle.
/// Each lane has the same bits as when computed alone.
public struct FourLanes {
    public let a, b, c, d: Lanes

    @_transparent
    public init(_ a: Lanes, _ b: Lanes, _ c: Lanes, _ d: Lanes) {
        (self.a, self.b, self.c, self.d) = (a, b, c, d)
    }

    @usableFromInline @_transparent
    func mapped(_ body: (Lanes) -> Lanes) -> FourLanes {
        FourLanes(body(a), body(b), body(c), body(d))
    }

    /// Calls `body` with the first `count` of them, at most four, and their indices.
    @usableFromInline @_transparent
    func forEach(_ count: Int, _ body: (Lanes, Int) -> Void) {
        body(a, 0)
        if count > 1 { body(b, 1) }
        if count > 2 { body(c, 2) }
        if count > 3 { body(d, 3) }
    }
}

@_transparent public func + (x: FourLanes, y: FourLanes) -> FourLanes { FourLanes(x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d) }
@_transparent public func * (x: FourLanes, y: FourLanes) -> FourLanes { FourLanes(x.a * y.a, x.b * y.b, x.c * y.c, x.d * y.d) }
@_transparent public func / (x: FourLanes, y: FourLanes) -> FourLanes { FourLanes(x.a / y.a, x.b / y.b, x.c / y.c, x.d / y.d) }
@_transparent public func + (x: FourLanes, y: Float) -> FourLanes { FourLanes(x.a + y, x.b + y, x.c + y, x.d + y) }
@_transparent public func * (x: FourLanes, y: Float) -> FourLanes { FourLanes(x.a * y, x.b * y, x.c * y, x.d * y) }
