import CSystem
import Kernels
import System

/// Frames from a camera, until cancelled. When the camera goes away, the source waits for it under its path and, if it was plugged in, under others.
public final class CameraSource<System: VideoSystem>: FrameSource, @unchecked Sendable {
    private let system: System
    private let path: String
    private let request: CameraRequest
    private let stop: Cancellation
    /// Which camera it is, once it has been seen.
    private var identity: (card: String, bus: String)?
    private var stream: CameraStream<System>?
    /// Frames that the driver marked as damaged or that were too short, and times that the camera was lost.
    public private(set) var damagedCount = 0, lostCount = 0

    /// Milliseconds without a frame after which a stream is started again, and between two looks for a lost camera.
    private let patience: Int32, interval: Int32

    /// - Parameters:
    ///   - patience: milliseconds without a frame after which a camera counts as lost.
    ///   - interval: milliseconds between two looks for a lost camera.
    public init(_ system: System, path: String, request: CameraRequest, stop: Cancellation, patience: Int32 = 5000, interval: Int32 = 500) {
        (self.system, self.path, self.request, self.stop) = (system, path, request, stop)
        (self.patience, self.interval) = (patience, interval)
    }

    private enum End {
        case stopped
        case lost(String)
    }

    /// Starts the camera. - Throws: when it is not there, cannot be used, or gives nothing that is read here.
    public func open() throws(Fault) {
        stream = try start(path)
    }

    /// The camera must be open.
    public func capture(into mailbox: FrameMailbox) {
        defer { stream = nil }
        while case .lost(let reason) = follow(into: mailbox) {
            lostCount += 1
            mailbox.lose()
            Log.write("fcclip-edge: \(path): lost (\(reason)); waiting for it")
            // The device's number is free again only when no descriptor is open.
            stream = nil
            repeat {
                guard stop.wait(for: -1, milliseconds: interval) != .stopped else { return }
                stream = find()
            } while stream == nil
        }
    }

    public var notes: [String] {
        (damagedCount > 0 ? ["\(damagedCount) damaged by the camera"] : []) + (lostCount > 0 ? ["the camera lost \(lostCount) times"] : [])
    }

    /// Opens a camera, sets its mode, starts it, and logs the result.
    private func start(_ path: String) throws(Fault) -> CameraStream<System> {
        let node = try VideoNode(system, path: path)
        if let identity {
            guard node.card == identity.card, node.bus == identity.bus || path == self.path else { throw Fault("\(path): another camera") }
        }
        let (layout, rate) = try node.negotiate(request)
        let stream = try CameraStream(node, layout: layout)
        identity = (node.card, node.bus)
        var text = "fcclip-edge: \(path): \(node.card), \(layout.format.name) \(layout.size.width)x\(layout.size.height)"
        if let rate { text += ", \(Int(rate.rounded())) frames a second" }
        Log.write(text)
        return stream
    }

    /// The camera under its path or another's, if it is back.
    private func find() -> CameraStream<System>? {
        if let found = try? start(path) { return found }
        for number in CameraList.numbers {
            let other = "/dev/video\(number)"
            if other != path, let found = try? start(other) { return found }
        }
        return nil
    }

    private func follow(into mailbox: FrameMailbox) -> End {
        guard let stream else { return .lost("not open") }
        var errors = 0
        while true {
            switch stream.wait(stop, milliseconds: patience) {
            case .stopped: return .stopped
            case .timedOut: return .lost("no frame for \(Int(patience) / 1000) s")
            case .ready: break
            }
            switch stream.next(into: mailbox.buffer) {
            case .frame:
                errors = 0
                guard mailbox.publish(captured: stream.captured) else { return .stopped }
            case .nothing: break
            case .damaged: damagedCount += 1
            case .broken(EIO):
                // The kernel's word for "this one failed, the next may not"; it does not hand the buffer over.
                errors += 1
                damagedCount += 1
                guard errors < 8 else { return .lost(errorText(EIO)) }
            case .broken(let error): return .lost(error == ENODEV ? "unplugged" : errorText(error))
            }
        }
    }
}
