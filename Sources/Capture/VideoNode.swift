import CSystem
import CVideo
import Kernels
import System

/// An open video device.
final class VideoNode<System: VideoSystem> {
    let system: System
    let path: String
    let descriptor: Int32
    /// What the driver calls the camera, itself, and the place where it is plugged in.
    let card: String, driver: String, bus: String
    private let capabilities: UInt32
    /// Of its buffers: single-planar or, as many cameras of boards are, multi-planar.
    let bufferType: UInt32
    /// Whether another program kept `set` from setting a mode.
    private(set) var isBusy = false

    /// - Throws: when `path` cannot be opened or is no V4L2 device.
    init(_ system: System, path: String) throws(Fault) {
        descriptor = system.open(path)
        self.system = system
        self.path = path
        guard descriptor >= 0 else { throw VideoNode.fault(path, opening: -descriptor) }
        var capability = v4l2_capability()
        let error = system.control(descriptor, video_request_capability, &capability)
        guard error == 0 else {
            system.close(descriptor)
            throw Fault("\(path): not a camera: \(errorText(error))")
        }
        card = text(capability.card)
        driver = text(capability.driver)
        bus = text(capability.bus_info)
        capabilities = video_capabilities(&capability)
        bufferType = video_buffer_type(capabilities)
    }

    deinit { system.close(descriptor) }

    private static func fault(_ path: String, opening error: Int32) -> Fault {
        switch error {
        case ENOENT, ENODEV, ENXIO: Fault("\(path): there is no such camera; --list-cameras names those there are")
        case EACCES, EPERM: Fault("\(path): no permission; cameras are the group video's: sudo usermod -aG video $USER, then log in again")
        case EBUSY: Fault("\(path): in use by another program")
        default: Fault("\(path): cannot be opened: \(errorText(error))")
        }
    }

    /// Whether it hands pictures over by itself, in buffers that are mapped.
    var captures: Bool { bufferType != 0 && capabilities & UInt32(V4L2_CAP_STREAMING) != 0 }

    /// Whether it is a part of a camera that only libcamera (or the maker's own library) puts together: a sensor's raw receiver on the CSI connector.
    var needsLibcamera: Bool {
        bufferType != 0 && (isReceiver || capabilities & UInt32(V4L2_CAP_IO_MC) != 0)
    }

    // Not rkisp_v5 and later: Rockchip's own kernels hand finished pictures over.
    private static var receivers: [StaticString] {
        ["unicam", "rp1-cfe", "rkisp1", "rkcif", "sun6i-csi", "qcom-camss", "tegra-video", "tegra-capture", "imx7-csi", "imx8-isi", "mxc-isi"]
    }

    private var isReceiver: Bool {
        for name in VideoNode.receivers where driver.utf8.starts(with: "\(name)".utf8) { return true }
        return false
    }

    /// What to do instead, in one line: the program that feeds frames in, whose rows may be longer than their pixels.
    func remedy(_ size: Size) -> String {
        // Chroma is shared by two pixels and two rows: cameras' frames have even sides.
        let width = max(size.width & ~1, 2)
        let height = max(size.height & ~1, 2)
        if driver.utf8.starts(with: "unicam".utf8) || driver.utf8.starts(with: "rp1-cfe".utf8) {
            // The Raspberry Pi's image processor pads rows to 64 bytes.
            return "rpicam-vid -t 0 --codec yuv420 --width \(width) --height \(height) -o - | fcclip-edge --stdin yuv420:\(width)x\(height)\(stride(width, 64))"
        }
        let element = driver.utf8.starts(with: "tegra".utf8) ? "nvarguscamerasrc ! nvvidconv" : "libcamerasrc"
        // GStreamer pads them to 4.
        return
            "gst-launch-1.0 -q \(element) ! video/x-raw,format=NV12,width=\(width),height=\(height) ! fdsink | fcclip-edge --stdin nv12:\(width)x\(height)\(stride(width, 4))"
    }

    /// The addition to a `--stdin` format where rows of `width` bytes are padded to multiples of `unit`.
    private func stride(_ width: Int, _ unit: Int) -> String {
        width % unit == 0 ? "" : ":stride=\((width + unit - 1) / unit * unit)"
    }

    /// The formats it names that are read here, each once, in the order of `FrameFormat`.
    func formats() -> [FrameFormat] {
        var isThere = [Bool](repeating: false, count: FrameFormat.allCases.count)
        for index in 0..<UInt32(256) {
            var description = v4l2_fmtdesc()
            description.index = index
            description.type = bufferType
            guard system.control(descriptor, video_request_format, &description) == 0 else { break }
            if let format = FrameFormat(code: description.pixelformat) { isThere[format.rawValue] = true }
        }
        return FrameFormat.allCases.filter { isThere[$0.rawValue] }
    }

    /// Asks for a mode. - Returns: what the driver gives instead, which may differ in everything; nil when it gives nothing that is read here.
    func set(_ format: FrameFormat, _ size: Size) -> FrameLayout? {
        var pixels = v4l2_pix_format()
        pixels.width = UInt32(size.width)
        pixels.height = UInt32(size.height)
        pixels.pixelformat = format.code
        pixels.field = V4L2_FIELD_ANY.rawValue
        var wanted = video_format(bufferType, pixels)
        let error = system.control(descriptor, video_request_set_format, &wanted)
        if error == EBUSY { isBusy = true }
        guard error == 0 else { return nil }
        return FrameLayout(video_pixels(&wanted))
    }

    /// Asks for a rate. - Returns: the frames a second that the driver gives; nil when it does not report one.
    func set(framesPerSecond: Int) -> Double? {
        var parameters = v4l2_streamparm()
        parameters.type = bufferType
        parameters.parm.capture.timeperframe.numerator = 1
        parameters.parm.capture.timeperframe.denominator = UInt32(framesPerSecond)
        guard system.control(descriptor, video_request_set_parameters, &parameters) == 0 else { return nil }
        return rate(parameters.parm.capture.timeperframe)
    }

    /// The highest rate of a mode, in frames a second; nil when the driver does not report it.
    func highestRate(_ format: FrameFormat, _ size: Size) -> Double? {
        var highest: Double?
        for index in 0..<UInt32(64) {
            var interval = v4l2_frmivalenum()
            interval.index = index
            interval.pixel_format = format.code
            interval.width = UInt32(size.width)
            interval.height = UInt32(size.height)
            guard system.control(descriptor, video_request_frame_interval, &interval) == 0 else { break }
            let isDiscrete = interval.type == V4L2_FRMIVAL_TYPE_DISCRETE.rawValue
            if let rate = rate(isDiscrete ? interval.discrete : interval.stepwise.min), rate > highest ?? 0 { highest = rate }
            if !isDiscrete { break }
        }
        return highest
    }

    /// The sizes of a format: each, or the smallest and the largest of a range.
    func sizes(_ format: FrameFormat) -> (sizes: [Size], isRange: Bool) {
        var sizes: [Size] = []
        for index in 0..<UInt32(64) {
            var entry = v4l2_frmsizeenum()
            entry.index = index
            entry.pixel_format = format.code
            guard system.control(descriptor, video_request_frame_size, &entry) == 0 else { break }
            guard entry.type == V4L2_FRMSIZE_TYPE_DISCRETE.rawValue else {
                let range = entry.stepwise
                return (
                    [Size(height: Int(range.min_height), width: Int(range.min_width)), Size(height: Int(range.max_height), width: Int(range.max_width))], true
                )
            }
            sizes.append(Size(height: Int(entry.discrete.height), width: Int(entry.discrete.width)))
        }
        return (sizes, false)
    }

    private func rate(_ interval: v4l2_fract) -> Double? {
        interval.numerator > 0 && interval.denominator > 0 ? Double(interval.denominator) / Double(interval.numerator) : nil
    }
}

/// The text of a C array of characters.
private func text<Characters>(_ characters: Characters) -> String {
    withUnsafeBytes(of: characters) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}

extension FrameFormat {
    /// V4L2's four-character code.
    var code: UInt32 {
        switch self {
        case .yuv420: video_format_yuv420
        case .nv12: video_format_nv12
        case .yuyv: video_format_yuyv
        case .rgb24: video_format_rgb24
        case .grey: video_format_grey
        case .mjpeg: video_format_mjpeg
        }
    }

    init?(code: UInt32) {
        switch code {
        case video_format_yuv420: self = .yuv420
        case video_format_nv12: self = .nv12
        case video_format_yuyv: self = .yuyv
        case video_format_rgb24: self = .rgb24
        case video_format_grey: self = .grey
        case video_format_mjpeg, video_format_jpeg: self = .mjpeg
        default: return nil
        }
    }
}

extension FrameLayout {
    /// The layout that a driver reports for its frames; nil when it is invalid or not supported.
    init?(_ pixels: v4l2_pix_format) {
        guard let format = FrameFormat(code: pixels.pixelformat) else { return nil }
        let size = Size(height: Int(pixels.height), width: Int(pixels.width))
        let sides = 1...FrameLayout.longestSide
        guard sides.contains(size.width), sides.contains(size.height) else { return nil }
        let isFull = pixels.quantization == V4L2_QUANTIZATION_FULL_RANGE.rawValue || pixels.colorspace == V4L2_COLORSPACE_JPEG.rawValue
        let isHigh =
            pixels.ycbcr_enc == V4L2_YCBCR_ENC_709.rawValue
            || (pixels.ycbcr_enc == V4L2_YCBCR_ENC_DEFAULT.rawValue && pixels.colorspace == V4L2_COLORSPACE_REC709.rawValue)
        let least = FrameLayout.leastStride(format, width: size.width)
        let stride = Int(pixels.bytesperline)
        // Some drivers leave it 0.
        self.init(format, size: size, stride: max(least, format == .mjpeg ? 0 : stride), encoding: isFull ? .full : isHigh ? .bt709 : .bt601)
    }
}
