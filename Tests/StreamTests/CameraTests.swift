import CSystem
import CVideo
import Capture
import Foundation
import Kernels
import System
import TestSupport
import Testing

/// Cameras as scripted devices that use the kernel's structures: started, silent, unplugged, back.
@Suite struct CameraTests {
    static let grey = FakeVideo.Camera(modes: [.init(code: video_format_grey, sizes: [(20, 5)])])

    private func frame(_ value: UInt8, count: Int = 100) -> [UInt8] { [UInt8](repeating: value, count: count) }

    /// The result of a script: the first byte and the layout of every frame, the counts, and the fault if any.
    private func run(
        _ video: FakeVideo, _ request: CameraRequest = CameraRequest(), stopAfter frames: Int
    ) throws -> (values: [UInt8], layouts: [FrameLayout], damaged: Int, lost: Int, fault: String?) {
        let stop = try Cancellation()
        let mailbox = FrameMailbox(keepsAll: true)
        let faults = Log<String>()
        let source = CameraSource(video, path: "/dev/video0", request: request, stop: stop, interval: 1)
        let thread = try System.Thread {
            do throws(Fault) {
                try source.open()
                source.capture(into: mailbox)
            } catch {
                faults.add(error.message)
            }
            mailbox.end()
        }
        var values: [UInt8] = []
        var layouts: [FrameLayout] = []
        while values.count < frames, let frame = mailbox.take() {
            #expect(frame.number == values.count + 1)
            values.append(frame.content.first ?? 0)
            layouts.append(frame.layout)
        }
        stop.cancel()
        mailbox.end(dropping: true)
        thread.join()
        #expect(video.leaks == 0)
        return (values, layouts, source.damagedCount, source.lostCount, faults.entries.first)
    }

    private func run(
        _ cameras: [String: FakeVideo.Camera], _ steps: [FakeVideo.Step], frames: Int
    ) throws -> (values: [UInt8], damaged: Int, lost: Int, fault: String?) {
        let result = try run(FakeVideo(cameras, steps), stopAfter: frames)
        return (result.values, result.damaged, result.lost, result.fault)
    }

    // MARK: - Frames

    @Test func streams() throws {
        let video = FakeVideo(["/dev/video0": Self.grey], (1...9).map { .frame(frame($0)) })
        let result = try run(video, stopAfter: 9)
        #expect(result.values == Array(1...9) && result.damaged == 0 && result.lost == 0 && result.fault == nil)
        #expect(video.talk == ["buffers 4", "start", "stop", "buffers 0"])
    }

    @Test func damagedFramesAreCountedAndDropped() throws {
        let result = try run(
            ["/dev/video0": Self.grey],
            [
                .frame(frame(1)), .frame(frame(2), flags: UInt32(V4L2_BUF_FLAG_ERROR)), .frame(frame(3, count: 99)), .error(EIO), .error(EAGAIN),
                .frame(frame(4)),
                .frame(frame(5, count: 3000)),
            ], frames: 3)
        #expect(result.values == [1, 4, 5] && result.damaged == 3 && result.lost == 0)
    }

    /// The first frame has the length of another; no read goes beyond the buffer.
    @Test func impossibleLengths() throws {
        let jpeg = FakeVideo.Camera(modes: [.init(code: video_format_mjpeg, sizes: [(20, 5)])])
        let long = FakeVideo(["/dev/video0": jpeg], [.frame(frame(7, count: FakeVideo.bufferBytes + 4096)), .frame([]), .frame(frame(8))])
        let result = try run(long, stopAfter: 2)
        #expect(result.values == [7, 8] && result.damaged == 1 && result.layouts[0].format == .mjpeg)
    }

    /// Multi-planar drivers, as for most cameras of boards: the same frames in other structures.
    @Test(arguments: [0, 64]) func multiplanarStreams(dataOffset: Int) throws {
        var camera = FakeVideo.Camera(modes: [.init(code: video_format_grey, sizes: [(20, 5)]), .init(code: video_format_nv12, sizes: [(16, 4)])])
        camera.capabilities = UInt32(V4L2_CAP_VIDEO_CAPTURE_MPLANE) | UInt32(V4L2_CAP_STREAMING)
        camera.driver = "rkisp_v6"
        camera.stride = 32
        camera.dataOffset = dataOffset
        camera.quantization = V4L2_QUANTIZATION_FULL_RANGE.rawValue
        let video = FakeVideo(["/dev/video0": camera], [.frame(frame(1, count: 192)), .frame(frame(2, count: 191)), .frame(frame(3, count: 192))])
        var request = CameraRequest()
        request.size = Size(height: 4, width: 16)
        request.framesPerSecond = 30
        let result = try run(video, request, stopAfter: 2)
        #expect(result.values == [1, 3] && result.damaged == 1 && result.fault == nil)
        #expect(result.layouts[0] == FrameLayout(.nv12, size: Size(height: 4, width: 16), stride: 32, encoding: .full))
        // Several planes are not read here.
        camera.planes = 2
        #expect(try run(["/dev/video0": camera], [], frames: 1).fault?.contains("none of its formats is read here") == true)
    }

    // MARK: - Unplugged

    @Test func unpluggedAndBack() throws {
        let result = try run(
            ["/dev/video0": Self.grey],
            [
                .frame(frame(1)), .unplug(looks: 200, path: "/dev/video0"), .frame(frame(2)), .unplug(looks: 3, path: "/dev/video0"), .frame(frame(3)),
            ], frames: 3)
        #expect(result.values == [1, 2, 3] && result.lost == 2 && result.fault == nil)
    }

    @Test func backUnderAnotherNumber() throws {
        var other = Self.grey
        other.card = "Another camera"
        other.bus = "usb-2"
        let result = try run(
            ["/dev/video0": Self.grey, "/dev/video1": other],
            [
                .frame(frame(1)), .unplug(looks: 70, path: "/dev/video2"), .frame(frame(2)),
            ], frames: 2)
        #expect(result.values == [1, 2] && result.lost == 1)
    }

    @Test func stopWhileItIsAway() throws {
        let stop = try Cancellation()
        let mailbox = FrameMailbox()
        let video = FakeVideo(["/dev/video0": Self.grey], [.unplug(looks: .max, path: "/dev/video0")])
        let source = CameraSource(video, path: "/dev/video0", request: CameraRequest(), stop: stop, interval: 20)
        try source.open()
        let thread = try System.Thread { source.capture(into: mailbox) }
        usleep(50_000)
        stop.cancel()
        thread.join()
        #expect(source.lostCount == 1 && video.leaks == 0)
    }

    @Test func silenceAndErrorsStartItAgain() throws {
        let video = FakeVideo(
            ["/dev/video0": Self.grey],
            [
                .frame(frame(1)), .silence, .frame(frame(2)),
            ] + [FakeVideo.Step](repeating: .error(EIO), count: 8) + [.frame(frame(3)), .error(EPIPE), .frame(frame(4))])
        let result = try run(video, stopAfter: 4)
        #expect(result.values == [1, 2, 3, 4] && result.lost == 3 && result.damaged == 8)
        #expect(video.talk.filter { $0 == "start" }.count == 4)
    }

    // MARK: - Modes

    private func mode(_ camera: FakeVideo.Camera, width: Int = 640, height: Int = 480, fps: Int? = nil, format: FrameFormat? = nil) throws -> FrameLayout? {
        var request = CameraRequest()
        request.size = Size(height: height, width: width)
        request.framesPerSecond = fps
        request.format = format
        return try run(FakeVideo(["/dev/video0": camera], [.frame(frame(1, count: FakeVideo.bufferBytes))]), request, stopAfter: 1).layouts.first
    }

    private func camera(_ modes: FakeVideo.Mode...) -> FakeVideo.Camera { FakeVideo.Camera(modes: modes) }

    @Test func nearestSizeThenCheapestFormat() throws {
        let small: [(width: UInt32, height: UInt32)] = [(160, 120), (64, 48)]
        let all = camera(
            .init(code: video_format_mjpeg, sizes: small), .init(code: video_format_grey, sizes: small), .init(code: video_format_yuyv, sizes: small),
            .init(code: 0x3138_4142, sizes: small))
        #expect(try mode(all, width: 160, height: 120) == FrameLayout(.yuyv, size: Size(height: 120, width: 160)))
        #expect(try mode(all, width: 60, height: 50)?.size == Size(height: 48, width: 64))
        // A format that has the size wins over one that is cheaper.
        let both = camera(.init(code: video_format_nv12, sizes: [(64, 48)]), .init(code: video_format_mjpeg, sizes: [(64, 48), (640, 480)]))
        #expect(try mode(both)?.format == .mjpeg)
    }

    @Test func fastEnoughComesFirst() throws {
        let usb = camera(
            .init(code: video_format_yuyv, sizes: [(160, 120), (128, 96)], rates: [10, 30]), .init(code: video_format_mjpeg, sizes: [(160, 120)], rates: [30]))
        #expect(try mode(usb, width: 160, height: 120)?.format == .yuyv)
        #expect(try mode(usb, width: 160, height: 120, fps: 10)?.format == .yuyv)
        #expect(try mode(usb, width: 160, height: 120, fps: 30)?.format == .mjpeg)
        #expect(try mode(usb, width: 128, height: 96, fps: 30)?.format == .yuyv)
        // No mode is fast enough: the closest size.
        #expect(try mode(usb, width: 128, height: 96, fps: 60)?.size == Size(height: 96, width: 128))
    }

    @Test func theFormatWished() throws {
        let both = camera(.init(code: video_format_nv12, sizes: [(160, 120)]), .init(code: video_format_yuyv, sizes: [(160, 120), (64, 48)]))
        #expect(try mode(both, width: 160, height: 120)?.format == .nv12)
        #expect(try mode(both, width: 160, height: 120, format: .yuyv) == FrameLayout(.yuyv, size: Size(height: 120, width: 160)))
        var request = CameraRequest()
        request.format = .mjpeg
        let expected = "/dev/video0: Fake camera: does not give mjpeg; --list-cameras names its formats"
        #expect(try run(FakeVideo(["/dev/video0": both]), request, stopAfter: 1).fault == expected)
        // A driver that accepts the request but returns another mode is no better.
        var other = camera(.init(code: video_format_mjpeg, sizes: [(160, 120)]))
        other.insists = (video_format_yuyv, 160, 120)
        #expect(try run(FakeVideo(["/dev/video0": other]), request, stopAfter: 1).fault == expected)
    }

    /// vivid accepts a request for MJPEG and sets YUYV.
    @Test func theAnswerCounts() throws {
        var vivid = camera(.init(code: video_format_mjpeg, sizes: [(160, 120)]))
        vivid.insists = (video_format_yuyv, 100, 80)
        vivid.stride = 256
        vivid.quantization = V4L2_QUANTIZATION_FULL_RANGE.rawValue
        #expect(try mode(vivid, width: 160, height: 120) == FrameLayout(.yuyv, size: Size(height: 80, width: 100), stride: 256, encoding: .full))
        vivid.quantization = 0
        vivid.colorspace = V4L2_COLORSPACE_REC709.rawValue
        #expect(try mode(vivid)?.encoding == .bt709)
        vivid.encoding = V4L2_YCBCR_ENC_601.rawValue
        #expect(try mode(vivid)?.encoding == .bt601)
    }

    // MARK: - Faults

    private func fault(_ change: (inout FakeVideo.Camera) -> Void) throws -> String? {
        var camera = Self.grey
        change(&camera)
        return try run(["/dev/video0": camera], [], frames: 1).fault
    }

    @Test func faultsSayWhatToDo() throws {
        #expect(try run([:], [], frames: 1).fault == "/dev/video0: there is no such camera; --list-cameras names those there are")
        #expect(try fault { $0.errors[0] = EACCES }?.contains("usermod -aG video") == true)
        #expect(try fault { $0.errors[video_request_capability] = ENOTTY } == "/dev/video0: not a camera: Inappropriate ioctl for device")
        #expect(try fault { $0.capabilities = UInt32(V4L2_CAP_VIDEO_OUTPUT) }?.contains("is no camera") == true)
        #expect(try fault { $0.errors[video_request_set_format] = EBUSY } == "/dev/video0: Fake camera: in use by another program")
        #expect(try fault { $0.errors[video_request_buffers] = EBUSY } == "/dev/video0: gives no buffers: in use by another program")
        #expect(try fault { $0.modes = [.init(code: 0x3138_4142, sizes: [(8, 8)])] }?.contains("none of its formats is read here") == true)
        #expect(try fault { $0.insists = (0x3138_4142, 8, 8) }?.contains("none of its formats is read here") == true)
        #expect(try fault { $0.insists = (video_format_grey, 9000, 8) }?.contains("none of its formats is read here") == true)
        #expect(try fault { $0.buffers = 1 } == "/dev/video0: gives 1 buffers, 2 are needed")
        #expect(try fault { $0.errors[video_request_start] = EPROTO } == "/dev/video0: does not start: Protocol error")
    }

    /// The receivers of CSI connectors, and the programs that read from them.
    @Test(arguments: [("unicam", "rpicam-vid"), ("rp1-cfe", "rpicam-vid"), ("rkisp1", "libcamerasrc"), ("tegra-video", "nvarguscamerasrc")])
    func camerasOfLibcamera(driver: String, program: String) throws {
        let message = try fault {
            $0.driver = driver
            $0.modes = [.init(code: 0x3138_4142, sizes: [(640, 480)])]
        }
        #expect(message?.contains("needs libcamera") == true && message?.contains(program) == true && message?.contains("fcclip-edge --stdin") == true)
        #expect(try fault { $0.capabilities |= UInt32(V4L2_CAP_IO_MC) }?.contains("needs libcamera") == true)
    }

    /// Rows that are longer than their pixels shear the picture, unless the suggested command has their stride.
    @Test func remediesNameTheStride() throws {
        var pi = Self.grey
        var other = Self.grey
        (pi.driver, other.driver) = ("rp1-cfe", "rkisp1")
        let video = FakeVideo(["/dev/video0": pi, "/dev/video1": other])
        func ending(_ number: Int, _ width: Int, _ height: Int) throws -> String {
            var request = CameraRequest()
            request.size = Size(height: height, width: width)
            let source = CameraSource(video, path: "/dev/video\(number)", request: request, stop: try Cancellation())
            return String(try #require(faultMessage { try source.open() }).split(separator: " ").last!)
        }
        #expect(try ending(0, 640, 480) == "yuv420:640x480" && ending(0, 1280, 720) == "yuv420:1280x720")
        #expect(try ending(0, 800, 600) == "yuv420:800x600:stride=832" && ending(0, 1296, 972) == "yuv420:1296x972:stride=1344")
        #expect(try ending(0, 1921, 1081) == "yuv420:1920x1080" && ending(0, 33, 1) == "yuv420:32x2:stride=64")
        #expect(try ending(1, 800, 600) == "nv12:800x600" && ending(1, 802, 600) == "nv12:802x600:stride=804")
    }

    @Test func lists() {
        var usb = camera(
            .init(code: video_format_mjpeg, sizes: [(1280, 720)], rates: [30]),
            .init(code: video_format_yuyv, sizes: [(640, 480), (1280, 720)], rates: [30, 10]),
            .init(code: video_format_grey, sizes: []))
        usb.card = "HD Webcam"
        var csi = Self.grey
        var encoder = Self.grey
        var locked = Self.grey
        csi.driver = "unicam"
        encoder.capabilities = UInt32(V4L2_CAP_VIDEO_M2M_MPLANE)
        locked.errors[0] = EACCES
        let video = FakeVideo(["/dev/video0": usb, "/dev/video3": csi, "/dev/video10": encoder, "/dev/video11": locked])
        #expect(
            CameraList.describe(video) == [
                "/dev/video0: HD Webcam (fake, usb-1)", "  yuyv    640x480 30, 1280x720 10 frames a second at most", "  grey    sizes unknown",
                "  mjpeg   1280x720 30 frames a second at most", "/dev/video3: Fake camera (unicam) needs libcamera; let its program feed this one:",
                "  rpicam-vid -t 0 --codec yuv420 --width 1280 --height 720 -o - | fcclip-edge --stdin yuv420:1280x720",
                "1 devices may not be opened; cameras are the group video's: sudo usermod -aG video $USER, then log in again",
            ])
        #expect(video.leaks == 0)
        #expect(CameraList.describe(FakeVideo([:])) == ["no cameras"])
    }
}
