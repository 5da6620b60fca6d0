import Kernels
import System

/// Memory for one frame as captured, with its layout, number and time.
public final class FrameBuffer {
    /// `capacity` bytes, of which `count` hold the frame.
    public var bytes: UnsafeMutablePointer<UInt8> { memory.base }
    public var capacity: Int { memory.capacity }
    private var memory = GrowingBuffer<UInt8>()
    public var count = 0
    public var layout = FrameLayout(.grey, size: Size(height: 0, width: 0))
    /// 1, 2, ... in the order captured.
    public internal(set) var number = 0
    public internal(set) var timing = FrameTiming()

    public init() {}

    /// Makes room for `count` bytes and keeps the frame.
    public func reserve(_ count: Int) {
        memory.reserve(count, keeping: self.count)
    }
}

/// Between the thread that captures and the one that segments: the freshest frame waits, older ones are dropped and counted.
///
/// Three buffers take turns: one is filled, one may wait, one may be read. No others are allocated.
public final class FrameMailbox: @unchecked Sendable {
    private let monitor = Monitor()
    private let buffers = [FrameBuffer(), FrameBuffer(), FrameBuffer()]
    private var filling = 0
    private var waiting: Int?
    private var reading: Int?
    private var isEnded = false, isLost = false
    private let keepsAll: Bool, isTriggered: Bool
    /// Since when a frame is wanted; with a trigger only.
    private var due: Double?
    private var publishedCount = 0, staleCount = 0

    /// - Parameters:
    ///   - keepsAll: whether `publish` waits instead of dropping frames.
    ///   - isTriggered: hands a frame over only after `trigger()`, and only one that was captured since.
    public init(keepsAll: Bool = false, isTriggered: Bool = false) {
        self.keepsAll = keepsAll
        self.isTriggered = isTriggered
    }

    /// The buffer to fill next; the capturing thread's until it is published.
    public var buffer: FrameBuffer { buffers[filling] }

    /// Hands `buffer` over.
    ///
    /// - Parameter captured: when it was captured, by `monotonicMilliseconds()`; nil for now.
    /// - Returns: false after `end`.
    public func publish(captured: Double? = nil) -> Bool {
        let buffer = buffers[filling]
        buffer.timing = FrameTiming(captured: captured)
        return monitor.locked {
            while keepsAll, waiting != nil, !isEnded { monitor.wait() }
            guard !isEnded else { return false }
            isLost = false
            publishedCount += 1
            buffer.number = publishedCount
            let published = filling
            if let stale = waiting {
                staleCount += 1
                filling = stale
            } else {
                filling = (0..<3).first { $0 != published && $0 != reading }!
            }
            waiting = published
            monitor.wakeAll()
            return true
        }
    }

    public enum Delivery {
        /// The reading thread's until the next call. `isAsked`: no trigger is needed, or one asked for it.
        case frame(FrameBuffer, isAsked: Bool)
        /// The source gives nothing for now; once each time.
        case lost
        /// No frame is left, and none will come.
        case end
    }

    /// The freshest frame, waited for, or what has become of the source.
    ///
    /// - Parameter unasked: takes a frame that no trigger asked for, too; then a trigger that waits for one goes on waiting.
    public func next(unasked: Bool = false) -> Delivery {
        monitor.locked {
            reading = nil
            while !hasWanted, !(unasked && waiting != nil), !isLost, !isEnded { monitor.wait() }
            let isWanted = hasWanted
            guard isWanted || unasked, let taken = waiting else {
                defer { isLost = false }
                return isLost ? .lost : .end
            }
            waiting = nil
            if isWanted { due = nil }
            reading = taken
            monitor.wakeAll()
            return .frame(buffers[taken], isAsked: isWanted)
        }
    }

    /// The freshest frame, waited for, through losses of the source. - Returns: nil at the end, when none is left.
    public func take() -> FrameBuffer? {
        while true {
            switch next() {
            case .frame(let frame, _): return frame
            case .lost: continue
            case .end: return nil
            }
        }
    }

    private var hasWanted: Bool {
        guard let waiting else { return false }
        guard isTriggered else { return true }
        return due.map { buffers[waiting].timing.captured >= $0 } ?? false
    }

    /// The source is lost until it publishes a frame.
    public func lose() {
        monitor.locked {
            isLost = true
            monitor.wakeAll()
        }
    }

    /// Asks for one frame, captured from now on. Further calls before that frame ask for the same one.
    public func trigger() {
        monitor.locked {
            if due == nil { due = monotonicMilliseconds() }
            monitor.wakeAll()
        }
    }

    /// No more frames come. - Parameter dropping: drops the one that waits, too.
    public func end(dropping: Bool = false) {
        monitor.locked {
            isEnded = true
            if dropping, waiting != nil {
                waiting = nil
                staleCount += 1
            }
            monitor.wakeAll()
        }
    }

    /// Frames captured, and those of them that a fresher one replaced.
    public var counts: (captured: Int, stale: Int) {
        monitor.locked { (publishedCount, staleCount) }
    }
}
