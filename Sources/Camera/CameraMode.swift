import Board
import Kernels

/// What a camera is asked for.
public struct CameraWishes: Sendable {
    /// In pixels; what comes nearest is taken.
    public var size = Size(height: 480, width: 640)
    /// Frames a second; nil leaves the rate to the camera.
    public var framesPerSecond: Int?
    /// The only format to take; nil for the best.
    public var format: FrameFormat?

    public init() {}
}

extension VideoNode {
    /// From the one that costs the least to turn into RGB and the network loses the least by, to the last resort.
    private static var preference: [FrameFormat] { [.nv12, .yuv420, .yuyv, .rgb24, .mjpeg, .grey] }

    /// Sets the mode nearest to the wishes: fast enough if a rate is wished for, then of the nearest size, then of the cheapest format.
    ///
    /// Drivers change what they do not like without a word; what counts is what they answer.
    /// - Throws: when nothing that is read here can be had.
    func negotiate(_ wishes: CameraWishes) throws(Fault) -> (layout: FrameLayout, framesPerSecond: Double?) {
        guard captures, !needsLibcamera else {
            throw needsLibcamera
                ? Fault("\(path): \(card) (\(driver)) needs libcamera; let its program feed this one: \(remedy(wishes.size))")
                : Fault("\(path): \(card) (\(driver)) is no camera; --list-cameras names those there are")
        }
        let offered = formats()
        var best: (format: FrameFormat, cost: Int)?
        for (rank, format) in VideoNode.preference.enumerated() where offered.contains(format) && (wishes.format ?? format) == format {
            guard let answer = set(format, wishes.size), (wishes.format ?? answer.format) == answer.format else { continue }
            let distance = abs(answer.size.width - wishes.size.width) + abs(answer.size.height - wishes.size.height)
            // A little slower than wished is as wished: 30 is often 29.97.
            let isSlow = if let wish = wishes.framesPerSecond, let rate = highestRate(answer.format, answer.size) { rate < Double(wish) * 0.9 } else { false }
            let cost = (isSlow ? 1 << 40 : 0) + distance << 8 + (answer.format == format ? rank : VideoNode.preference.count)
            if cost < best?.cost ?? Int.max { best = (format, cost) }
        }
        guard let best, let layout = set(best.format, wishes.size) else {
            if isBusy { throw Fault("\(path): \(card): in use by another program") }
            throw wishes.format.map { Fault("\(path): \(card): does not give \($0.name); --list-cameras names its formats") }
                ?? Fault("\(path): \(card): none of its formats is read here (nv12, yuv420, yuyv, rgb24, mjpeg, grey)")
        }
        return (layout, wishes.framesPerSecond.flatMap { set(framesPerSecond: $0) })
    }
}
