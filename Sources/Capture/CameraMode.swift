import CSystem
import Kernels
import System

/// The mode to request from a camera.
public struct CameraRequest: Sendable {
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

    /// Sets the mode closest to the request. Modes that reach the requested rate come first; among them the closest size, then the cheapest format.
    ///
    /// Drivers change what they do not like without a word; what counts is what they answer.
    /// - Throws: when nothing that is read here can be had.
    func negotiate(_ request: CameraRequest) throws(Fault) -> (layout: FrameLayout, framesPerSecond: Double?) {
        guard captures, !needsLibcamera else {
            throw needsLibcamera
                ? Fault("\(path): \(card) (\(driver)) needs libcamera; let its program feed this one: \(remedy(request.size))")
                : Fault("\(path): \(card) (\(driver)) is no camera; --list-cameras names those there are")
        }
        let offered = formats()
        var best: (format: FrameFormat, cost: Int)?
        for (rank, format) in VideoNode.preference.enumerated() where offered.contains(format) && (request.format ?? format) == format {
            guard let answer = set(format, request.size), (request.format ?? answer.format) == answer.format else { continue }
            let distance = abs(answer.size.width - request.size.width) + abs(answer.size.height - request.size.height)
            // A rate within 10% counts as reached: 30 is often 29.97.
            let isSlow =
                if let wanted = request.framesPerSecond, let rate = highestRate(answer.format, answer.size) { rate < Double(wanted) * 0.9 } else { false }
            let cost = (isSlow ? 1 << 40 : 0) + distance << 8 + (answer.format == format ? rank : VideoNode.preference.count)
            if cost < best?.cost ?? Int.max { best = (format, cost) }
        }
        guard let best, let layout = set(best.format, request.size) else {
            if isBusy { throw Fault("\(path): \(card): in use by another program") }
            throw request.format.map { Fault("\(path): \(card): does not give \($0.name); --list-cameras names its formats") }
                ?? Fault("\(path): \(card): none of its formats is read here (nv12, yuv420, yuyv, rgb24, mjpeg, grey)")
        }
        return (layout, request.framesPerSecond.flatMap { set(framesPerSecond: $0) })
    }
}
