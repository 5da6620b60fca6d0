import Board
import CVideo

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
    /// When it was captured, by `monotonicMilliseconds()`; nil when the driver does not tell.
    private(set) var captured: Double?

    private static var bufferCount: UInt32 { 4 }

    /// Starts. - Throws: when the driver has no buffers to give or does not start.
    init(_ node: VideoNode<System>, layout: FrameLayout) throws(Fault) {
        self.node = node
        self.layout = layout
        var request = v4l2_requestbuffers()
        request.count = CameraStream.bufferCount
        request.type = videoCapture
        request.memory = V4L2_MEMORY_MMAP.rawValue
        try check(node.system.control(node.descriptor, video_request_buffers, &request), "gives no buffers")
        guard request.count >= 2 else { throw Fault("\(node.path): gives \(request.count) buffers, 2 are needed") }
        for index in 0..<request.count {
            var buffer = CameraStream.buffer(index)
            try check(node.system.control(node.descriptor, video_request_buffer, &buffer), "describes no buffers")
            guard let base = node.system.map(node.descriptor, offset: Int(buffer.m.offset), count: Int(buffer.length)) else {
                throw Fault("\(node.path): a buffer of \(buffer.length) bytes cannot be mapped")
            }
            buffers.append((base, Int(buffer.length)))
            try check(node.system.control(node.descriptor, video_request_queue, &buffer), "takes no buffers")
        }
        var type = videoCapture
        try check(node.system.control(node.descriptor, video_request_start, &type), "does not start")
    }

    deinit {
        var type = videoCapture
        _ = node.system.control(node.descriptor, video_request_stop, &type)
        for buffer in buffers { node.system.unmap(buffer.base, count: buffer.count) }
        var request = v4l2_requestbuffers()
        request.type = videoCapture
        request.memory = V4L2_MEMORY_MMAP.rawValue
        _ = node.system.control(node.descriptor, video_request_buffers, &request)
    }

    private static func buffer(_ index: UInt32) -> v4l2_buffer {
        var buffer = v4l2_buffer()
        buffer.index = index
        buffer.type = videoCapture
        buffer.memory = V4L2_MEMORY_MMAP.rawValue
        return buffer
    }

    private func check(_ error: Int32, _ what: String) throws(Fault) {
        guard error == 0 else { throw Fault("\(node.path): \(what): \(error == EBUSY ? "in use by another program" : errorText(error))") }
    }

    /// Waits until there is something for `next(into:)`.
    func wait(_ stop: StopSign, milliseconds: Int32) -> Readiness {
        node.system.wait(node.descriptor, stop: stop, milliseconds: milliseconds)
    }

    /// Copies the next frame, if it is there: the driver has its buffer back at once, whatever becomes of the device.
    func next(into frame: FrameBuffer) -> Outcome {
        var buffer = CameraStream.buffer(0)
        switch node.system.control(node.descriptor, video_request_dequeue, &buffer) {
        case 0: break
        case EAGAIN: return .nothing
        case let error: return .broken(error)
        }
        guard Int(buffer.index) < buffers.count else { return .broken(EIO) }
        let mapped = buffers[Int(buffer.index)], isJPEG = layout.format == .mjpeg
        // Some drivers leave the count 0, or too large.
        let used = buffer.bytesused == 0 && !isJPEG ? mapped.count : min(Int(buffer.bytesused), mapped.count)
        let size = isJPEG ? used : layout.byteCount
        let isWhole = buffer.flags & UInt32(V4L2_BUF_FLAG_ERROR) == 0 && used >= size && size > 0
        if isWhole {
            frame.count = 0
            frame.reserve(size)
            frame.bytes.update(from: mapped.base.assumingMemoryBound(to: UInt8.self), count: size)
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
