import CSystem
import Kernels
import System

/// The cameras of this machine.
public enum CameraList {
    /// Numbers of `/dev/video` that are looked at.
    static let numbers = 0..<64

    /// What there is, in lines for people: every camera with its modes, and what only libcamera can drive with the remedy.
    public static func describe<System: VideoSystem>(_ system: System) -> [String] {
        var lines: [String] = []
        var hidden = 0
        for number in numbers {
            let path = "/dev/video\(number)"
            let descriptor = system.open(path)
            guard descriptor >= 0 else {
                if descriptor == -EACCES { hidden += 1 }
                continue
            }
            system.close(descriptor)
            guard let node = try? VideoNode(system, path: path) else { continue }
            if node.needsLibcamera {
                lines.append("\(path): \(node.card) (\(node.driver)) needs libcamera; let its program feed this one:")
                lines.append("  " + node.remedy(Size(height: 720, width: 1280)))
            } else if node.captures {
                lines.append("\(path): \(node.card) (\(node.driver), \(node.bus))")
                for format in node.formats() { lines.append(modes(node, format)) }
            }
        }
        if hidden > 0 { lines.append("\(hidden) devices may not be opened; cameras are the group video's: sudo usermod -aG video $USER, then log in again") }
        return lines.isEmpty ? ["no cameras"] : lines
    }

    /// As in `  yuyv    640x480 30, 1280x720 10`.
    private static func modes<System: VideoSystem>(_ node: VideoNode<System>, _ format: FrameFormat) -> String {
        var text = "  \(format.name)"
        while text.utf8.count < 9 { text += " " }
        let (sizes, isRange) = node.sizes(format)
        for (index, size) in sizes.enumerated() {
            text += (index == 0 ? " " : isRange ? " to " : ", ") + "\(size.width)x\(size.height)"
            if let rate = node.highestRate(format, size) { text += " \(Int(rate.rounded()))" }
        }
        return text + (sizes.isEmpty ? " sizes unknown" : " frames a second at most")
    }
}
