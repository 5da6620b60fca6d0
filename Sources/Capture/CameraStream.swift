import CSystem
import CVideo
import System

/// A camera that streams into mapped buffers. Ends with its last reference.
final class CameraStream<System: VideoSystem> {
    enum Outcome {
        /// The frame is in the buffer that was given.
        case frame
        /// Nothing was there after all.
        case nothing
        /// The frame came damaged and was dropped.
        case damaged
        /// Nothing more will come from this stream.
        case broken(Int32)
    }

    private let node: VideoNode<System>
    private let layout: FrameLayout
    private var buffers: [(base: UnsafeMutableRawPointer, count: Int)] = []
    /// The plane of the buffer that the driver is being asked about.
    private let plane = UnsafeMutablePointer<v4l2_plane>.allocate(capacity: 1)
    /// When it was captured, by `monotonicMilliseconds()`; nil when the driver does not report it.
    private(set) var captured: Double?

    private static var bufferCount: UInt32 { 4 }

    /// Starts. - Throws: when the driver has no buffers to give or does not start.
    init(_ node: VideoNode<System>, layout: FrameLayout) throws(Fault) {
        self.node = node
        self.layout = layout
        var request = v4l2_requestbuffers()
        request.count = CameraStream.bufferCount
        request.type = node.bufferType
        request.memory = V4L2_MEMORY_MMAP.rawValue
        try check(node.system.control(node.descriptor, video_request_buffers, &request), "gives no buffers")
        guard request.count >= 2 else { throw Fault("\(node.path): gives \(request.count) buffers, 2 are needed") }
        for index in 0..<request.count {
            var buffer = video_buffer(node.bufferType, index, plane)
            try check(node.system.control(node.descriptor, video_request_buffer, &buffer), "describes no buffers")
            let count = Int(video_buffer_length(&buffer))
            guard let base = node.system.map(node.descriptor, offset: Int(video_buffer_offset(&buffer)), count: count) else {
                throw Fault("\(node.path): a buffer of \(count) bytes cannot be mapped")
            }
            buffers.append((base, count))
            try check(node.system.control(node.descriptor, video_request_queue, &buffer), "takes no buffers")
        }
        var type = node.bufferType
        try check(node.system.control(node.descriptor, video_request_start, &type), "does not start")
    }

    deinit {
        var type = node.bufferType
        _ = node.system.control(node.descriptor, video_request_stop, &type)
        for buffer in buffers { node.system.unmap(buffer.base, count: buffer.count) }
        var request = v4l2_requestbuffers()
        request.type = node.bufferType
        request.memory = V4L2_MEMORY_MMAP.rawValue
        _ = node.system.control(node.descriptor, video_request_buffers, &request)
        plane.deallocate()
    }

    private func check(_ error: Int32, _ what: String) throws(Fault) {
        guard error == 0 else { throw Fault("\(node.path): \(what): \(error == EBUSY ? "in use by another program" : errorText(error))") }
    }

    /// Waits until there is something for `next(into:)`.
    func wait(_ stop: Cancellation, milliseconds: Int32) -> Readiness {
        node.system.wait(node.descriptor, stop: stop, milliseconds: milliseconds)
    }

    /// Copies the next frame, if it is there: the driver has its buffer back at once, whatever becomes of the device.
    func next(into frame: FrameBuffer) -> Outcome {
        var buffer = video_buffer(node.bufferType, 0, plane)
        switch node.system.control(node.descriptor, video_request_dequeue, &buffer) {
        case 0: break
        case EAGAIN: return .nothing
        case let error: return .broken(error)
        }
        guard Int(buffer.index) < buffers.count else { return .broken(EIO) }
        let mapped = buffers[Int(buffer.index)]
        let isJPEG = layout.format == .mjpeg
        // Some drivers leave the end 0, or too large.
        let start = Int(video_frame_start(&buffer))
        let end = Int(video_frame_end(&buffer))
        let used = (end == 0 && !isJPEG ? mapped.count : min(end, mapped.count)) - start
        let size = isJPEG ? used : layout.byteCount
        let isWhole = buffer.flags & UInt32(V4L2_BUF_FLAG_ERROR) == 0 && used >= size && size > 0
        if isWhole {
            frame.count = 0
            frame.reserve(size)
            frame.bytes.update(from: mapped.base.assumingMemoryBound(to: UInt8.self) + start, count: size)
            frame.count = size
            frame.layout = layout
            let time = video_captured(&buffer)
            captured = time >= 0 ? time : nil
        }
        let error = node.system.control(node.descriptor, video_request_queue, &buffer)
        guard error == 0 else { return .broken(error) }
        return isWhole ? .frame : .damaged
    }
}
