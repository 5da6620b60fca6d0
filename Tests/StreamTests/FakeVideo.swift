import CSystem
import CVideo
import Capture
import Foundation
import System

/// A machine with scripted cameras, which return the kernel's structures and record requests.
final class FakeVideo: VideoSystem, @unchecked Sendable {
    struct Mode {
        var code: UInt32
        var sizes: [(width: UInt32, height: UInt32)]
        var rates: [UInt32] = []
    }

    struct Camera {
        var card = "Fake camera", driver = "fake", bus = "usb-1"
        var capabilities = UInt32(V4L2_CAP_VIDEO_CAPTURE) | UInt32(V4L2_CAP_STREAMING)
        var modes: [Mode] = []
        /// The only mode that is ever set, as drivers of some cameras have it.
        var insists: (code: UInt32, width: UInt32, height: UInt32)?
        var stride: UInt32 = 0
        /// Multi-planar drivers: planes of a frame, and where the frame starts in the first.
        var planes: UInt8 = 1, dataOffset = 0
        var buffers: UInt32 = 4
        /// Errors of requests.
        var errors: [UInt64: Int32] = [:]
        var colorspace: UInt32 = 0, encoding: UInt32 = 0, quantization: UInt32 = 0

        var bufferType: UInt32 {
            capabilities & UInt32(V4L2_CAP_VIDEO_CAPTURE) != 0 ? V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue : V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE.rawValue
        }
        var isMultiplanar: Bool { bufferType == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE.rawValue }
    }

    /// The next event of a streaming camera, one step for each wait.
    enum Step {
        case frame([UInt8], flags: UInt32 = 0)
        case error(Int32)
        case silence
        /// Unplugged, and back under a path after that many checks.
        case unplug(looks: Int, path: String)
        /// The step of a test itself.
        case action(() -> Void)
    }

    private let monitor = Monitor()
    private var cameras: [String: Camera]
    private var steps: [Step]
    private var open: [Int32: String] = [:]
    private var nextDescriptor: Int32 = 100
    private var format = v4l2_pix_format()
    private var memory: [UnsafeMutableRawPointer] = []
    private var queued: [UInt32] = []
    private var pending: Step?
    private var away: (camera: Camera, looks: Int, path: String)?
    private(set) var talk: [String] = []
    static let bufferBytes = 1 << 16

    init(_ cameras: [String: Camera], _ steps: [Step] = []) {
        self.cameras = cameras
        self.steps = steps
    }

    /// Descriptors and maps that were not given back.
    var leaks: Int { monitor.locked { open.count + memory.count } }

    func open(_ path: String) -> Int32 {
        monitor.locked {
            if let away {
                if away.looks > 0 {
                    self.away!.looks -= 1
                } else {
                    cameras[away.path] = away.camera
                    self.away = nil
                }
            }
            guard let camera = cameras[path] else { return -ENOENT }
            if let error = camera.errors[0] { return -error }
            nextDescriptor += 1
            open[nextDescriptor] = path
            return nextDescriptor
        }
    }

    func close(_ descriptor: Int32) {
        monitor.locked { open[descriptor] = nil }
    }

    func map(_ descriptor: Int32, offset: Int, count: Int) -> UnsafeMutableRawPointer? {
        monitor.locked {
            precondition(offset == memory.count * 4096 && count == Self.bufferBytes)
            memory.append(.allocate(byteCount: count, alignment: 8))
            return memory.last
        }
    }

    func unmap(_ base: UnsafeMutableRawPointer, count: Int) {
        monitor.locked {
            memory.removeAll { $0 == base }
            base.deallocate()
        }
    }

    func wait(_ descriptor: Int32, stop: Cancellation, milliseconds: Int32) -> Readiness {
        if stop.isCancelled { return .stopped }
        let step: Step? = monitor.locked { steps.isEmpty ? nil : steps.removeFirst() }
        guard let step else { return stop.wait(for: -1, milliseconds: 10_000) }
        switch step {
        case .silence: return .timedOut
        case .action(let body):
            body()
            return wait(descriptor, stop: stop, milliseconds: milliseconds)
        default:
            monitor.locked { pending = step }
            return .ready
        }
    }

    func control(_ descriptor: Int32, _ request: UInt64, _ argument: UnsafeMutableRawPointer) -> Int32 {
        monitor.locked {
            guard let path = open[descriptor] else { return EBADF }
            guard let camera = cameras[path] else { return ENODEV }
            if let error = camera.errors[request] { return error }
            return printLine(camera, path, request, argument)
        }
    }

    private func printLine(_ camera: Camera, _ path: String, _ request: UInt64, _ argument: UnsafeMutableRawPointer) -> Int32 {
        func with<T>(_ type: T.Type, _ body: (inout T) -> Int32) -> Int32 { body(&argument.assumingMemoryBound(to: type).pointee) }
        switch request {
        case video_request_capability:
            return with(v4l2_capability.self) {
                withUnsafeMutableBytes(of: &$0.card) { $0.copyBytes(from: camera.card.utf8) }
                withUnsafeMutableBytes(of: &$0.driver) { $0.copyBytes(from: camera.driver.utf8) }
                withUnsafeMutableBytes(of: &$0.bus_info) { $0.copyBytes(from: camera.bus.utf8) }
                $0.capabilities = UInt32(V4L2_CAP_DEVICE_CAPS) | 0xFF
                $0.device_caps = camera.capabilities
                return 0
            }
        case video_request_format:
            return with(v4l2_fmtdesc.self) {
                guard $0.type == camera.bufferType, $0.index < camera.modes.count else { return EINVAL }
                $0.pixelformat = camera.modes[Int($0.index)].code
                return 0
            }
        case video_request_frame_size:
            return with(v4l2_frmsizeenum.self) { entry in
                guard let mode = camera.modes.first(where: { $0.code == entry.pixel_format }), entry.index < mode.sizes.count else { return EINVAL }
                entry.type = V4L2_FRMSIZE_TYPE_DISCRETE.rawValue
                entry.discrete.width = mode.sizes[Int(entry.index)].width
                entry.discrete.height = mode.sizes[Int(entry.index)].height
                return 0
            }
        case video_request_frame_interval:
            return with(v4l2_frmivalenum.self) { entry in
                guard let mode = camera.modes.first(where: { $0.code == entry.pixel_format }),
                    let index = mode.sizes.firstIndex(where: { $0 == (entry.width, entry.height) }), index < mode.rates.count, entry.index == 0
                else { return EINVAL }
                entry.type = V4L2_FRMIVAL_TYPE_DISCRETE.rawValue
                entry.discrete.numerator = 1
                entry.discrete.denominator = mode.rates[index]
                return 0
            }
        case video_request_set_format: return with(v4l2_format.self) { set(camera, &$0) }
        case video_request_set_parameters: return with(v4l2_streamparm.self) { $0.type == camera.bufferType ? 0 : EINVAL }
        case video_request_buffers:
            return with(v4l2_requestbuffers.self) {
                guard $0.type == camera.bufferType else { return EINVAL }
                talk.append("buffers \($0.count)")
                $0.count = min($0.count, camera.buffers)
                return 0
            }
        case video_request_buffer:
            return with(v4l2_buffer.self) {
                guard $0.type == camera.bufferType else { return EINVAL }
                if camera.isMultiplanar {
                    guard $0.length >= 1 else { return EINVAL }
                    $0.m.planes[0].length = UInt32(Self.bufferBytes)
                    $0.m.planes[0].m.mem_offset = $0.index * 4096
                } else {
                    $0.length = UInt32(Self.bufferBytes)
                    $0.m.offset = $0.index * 4096
                }
                return 0
            }
        case video_request_queue:
            return with(v4l2_buffer.self) {
                precondition(!queued.contains($0.index) && $0.type == camera.bufferType)
                queued.append($0.index)
                return 0
            }
        case video_request_dequeue: return with(v4l2_buffer.self) { dequeue(camera, path, &$0) }
        case video_request_start:
            talk.append("start")
            return 0
        case video_request_stop:
            talk.append("stop")
            queued = []
            return 0
        default: return ENOTTY
        }
    }

    /// The nearest size of the format, or of the first format if the camera lacks it.
    private func set(_ camera: Camera, _ wanted: inout v4l2_format) -> Int32 {
        guard wanted.type == camera.bufferType else { return EINVAL }
        let (code, width) = camera.isMultiplanar ? (wanted.fmt.pix_mp.pixelformat, wanted.fmt.pix_mp.width) : (wanted.fmt.pix.pixelformat, wanted.fmt.pix.width)
        guard let mode = camera.modes.first(where: { $0.code == code }) ?? camera.modes.first else { return EINVAL }
        let size = mode.sizes.min { abs(Int($0.width) - Int(width)) < abs(Int($1.width) - Int(width)) }!
        let given = camera.insists ?? (mode.code, size.width, size.height)
        if camera.isMultiplanar {
            wanted.fmt.pix_mp.pixelformat = given.0
            wanted.fmt.pix_mp.width = given.1
            wanted.fmt.pix_mp.height = given.2
            wanted.fmt.pix_mp.num_planes = camera.planes
            wanted.fmt.pix_mp.plane_fmt.0.bytesperline = camera.stride
            wanted.fmt.pix_mp.colorspace = camera.colorspace
            wanted.fmt.pix_mp.ycbcr_enc = UInt8(camera.encoding)
            wanted.fmt.pix_mp.quantization = UInt8(camera.quantization)
        } else {
            wanted.fmt.pix.pixelformat = given.0
            wanted.fmt.pix.width = given.1
            wanted.fmt.pix.height = given.2
            wanted.fmt.pix.bytesperline = camera.stride
            wanted.fmt.pix.colorspace = camera.colorspace
            wanted.fmt.pix.ycbcr_enc = camera.encoding
            wanted.fmt.pix.quantization = camera.quantization
        }
        return 0
    }

    private func dequeue(_ camera: Camera, _ path: String, _ buffer: inout v4l2_buffer) -> Int32 {
        defer { pending = nil }
        switch pending {
        case .frame(let bytes, let flags):
            guard !queued.isEmpty, buffer.type == camera.bufferType else { return EAGAIN }
            buffer.index = queued.removeFirst()
            let start = camera.dataOffset
            (memory[Int(buffer.index)] + start).copyMemory(from: bytes, byteCount: min(bytes.count, Self.bufferBytes - start))
            if camera.isMultiplanar {
                buffer.m.planes[0].data_offset = UInt32(start)
                // The offset counts.
                buffer.m.planes[0].bytesused = UInt32(bytes.count + start)
            } else {
                buffer.bytesused = UInt32(bytes.count)
            }
            buffer.flags = flags
            return 0
        case .error(let number): return number
        case .unplug(let looks, let other):
            away = (cameras[path]!, looks, other)
            cameras[path] = nil
            queued = []
            return ENODEV
        default: return EAGAIN
        }
    }
}
