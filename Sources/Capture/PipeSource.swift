import CSystem
import Kernels
import System

/// Where frames come from.
public protocol FrameSource: AnyObject, Sendable {
    /// Makes ready. - Throws: when that fails.
    func open() throws(Fault)
    /// Fills the mailbox until the frames end or the source is cancelled. This is the capturing thread's work. The mailbox is left open.
    func capture(into mailbox: FrameMailbox) throws(Fault)
    /// Remarks on the capture for the summary after its end, in few words each.
    var notes: [String] { get }
}

/// Frames from a pipe or a file, one after another: raw, or JPEG pictures.
public final class PipeSource: FrameSource, @unchecked Sendable {
    /// What messages call it.
    public let name: String
    private let descriptor: Int32
    private let layout: FrameLayout
    private let stop: Cancellation
    private let chunk = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 16)
    /// JPEG pictures that were dropped because nothing could be made of them.
    public private(set) var droppedCount = 0

    public var notes: [String] { droppedCount > 0 ? ["\(droppedCount) pictures that were none"] : [] }

    /// - Parameter descriptor: open for reading; stays the caller's.
    public init(_ name: String, descriptor: Int32, layout: FrameLayout, stop: Cancellation) {
        self.name = name
        self.descriptor = descriptor
        self.layout = layout
        self.stop = stop
    }

    public func open() throws(Fault) {}

    /// - Throws: when the pipe cannot be read, or ends before the first frame is complete.
    public func capture(into mailbox: FrameMailbox) throws(Fault) {
        if layout.format == .mjpeg { try capturePictures(mailbox) } else { try captureRaw(mailbox) }
    }

    private func captureRaw(_ mailbox: FrameMailbox) throws(Fault) {
        let size = layout.byteCount
        var frames = 0
        while true {
            let frame = mailbox.buffer
            frame.count = 0
            frame.reserve(size)
            frame.layout = layout
            while frame.count < size {
                guard let count = try read(into: frame.bytes + frame.count, size - frame.count) else { return }
                guard count > 0 else {
                    if frames == 0 {
                        throw Fault(
                            "\(name): ended after \(frame.count) bytes; a frame of \(layout.format.name), \(layout.size.width) x \(layout.size.height), has \(size)"
                        )
                    }
                    if frame.count > 0 { Log.write("fcclip-edge: \(name): ended within a frame, after \(frame.count) of \(size) bytes; is the size right?") }
                    return
                }
                frame.count += count
            }
            frames += 1
            guard mailbox.publish() else { return }
        }
    }

    private func capturePictures(_ mailbox: FrameMailbox) throws(Fault) {
        var splitter = JPEGSplitter()
        var pictures = 0
        defer { droppedCount = splitter.droppedCount }
        while true {
            guard let count = try read(into: chunk.baseAddress!, chunk.count) else { return }
            var rest = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(chunk)[..<count])
            while !rest.isEmpty {
                let (used, outcome) = splitter.feed(rest, into: mailbox.buffer)
                rest = UnsafeBufferPointer(rebasing: rest[used...])
                if outcome == .picture {
                    pictures += 1
                    guard publish(mailbox) else { return }
                }
            }
            guard count == 0 else { continue }
            while splitter.finish(mailbox.buffer) {
                pictures += 1
                guard publish(mailbox) else { return }
            }
            guard pictures > 0 else { throw Fault("\(name): ended without a JPEG picture") }
            return
        }
    }

    private func publish(_ mailbox: FrameMailbox) -> Bool {
        mailbox.buffer.layout = layout
        return mailbox.publish()
    }

    /// Waits for bytes and reads some. - Returns: how many, 0 at the end; nil when cancelled.
    private func read(into target: UnsafeMutablePointer<UInt8>, _ count: Int) throws(Fault) -> Int? {
        while true {
            guard stop.wait(for: descriptor) != .stopped else { return nil }
            let result = CSystem.read(descriptor, target, count)
            if result >= 0 { return result }
            guard system_errno() == EINTR || system_errno() == EAGAIN else { throw Fault("\(name): \(systemError())") }
        }
    }

    deinit { chunk.deallocate() }
}
