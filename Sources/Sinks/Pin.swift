import CSystem
import System

/// How the command line names a GPIO line.
public enum PinName: Equatable, Sendable {
    /// As the board's device tree names it: stays the same when chips get other numbers.
    case name(String)
    /// The chip by name, label, number or path, and the line's number on it.
    case offset(chip: String, line: UInt32)

    /// `NAME` or `CHIP:OFFSET`. - Throws: when it is neither.
    public init(_ text: String, option: StaticString) throws(Fault) {
        let parts = PinName.parts(text)
        switch parts.count {
        case 1 where !text.isEmpty: self = .name(text)
        case 2:
            guard let line = UInt32(parts[1]), !parts[0].isEmpty else { fallthrough }
            self = .offset(chip: parts[0], line: line)
        default: throw Fault("--\(option) \(text): a line's name, or CHIP:OFFSET, is expected; gpioinfo lists them")
        }
    }

    static func parts(_ text: String) -> [String] {
        text.utf8.split(separator: 0x3A, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }

    var text: String {
        switch self {
        case .name(let name): name
        case .offset(let chip, let line): "\(chip):\(line)"
        }
    }
}

/// A GPIO line in use; given back with its last reference.
public final class Pin<System: PinSystem>: @unchecked Sendable {
    private let system: System
    private let handle: UnsafeMutableRawPointer
    private let name: String
    private let isOutput: Bool
    private var level = false

    /// - Parameter option: what messages name.
    /// - Throws: when the board lacks the line, another program uses it, or there is no permission.
    public init(_ system: System, _ line: PinName, output: Bool, option: StaticString) throws(Fault) {
        name = "--\(option) \(line.text)"
        let (found, error) = system.open(line)
        guard let found else { throw Pin.fault(name, error, isThere: false) }
        let refusal = output ? system.output(found) : system.risingEdges(found)
        guard refusal == 0 else {
            system.close(found)
            throw Pin.fault(name, refusal, isThere: true)
        }
        self.system = system
        handle = found
        isOutput = output
    }

    deinit {
        // Nothing is left that could end an alarm.
        if isOutput { _ = system.set(handle, false) }
        system.close(handle)
    }

    private static func fault(_ name: String, _ error: Int32, isThere: Bool) -> Fault {
        switch error {
        case EACCES, EPERM: Fault("\(name): no permission for GPIO; lines are the group gpio's: sudo usermod -aG gpio $USER, then log in again")
        case EBUSY: Fault("\(name): in use by another program or driver; gpioinfo shows which")
        case _ where isThere: Fault("\(name): \(errorText(error))")
        case ENOENT, ENODEV, ENXIO, EINVAL, ENOTTY: Fault("\(name): this board has no such line; gpioinfo lists those there are")
        default: Fault("\(name): \(errorText(error))")
        }
    }

    /// Drives an output; does nothing when it is so already. - Throws: when the line cannot be driven any more.
    public func set(_ isHigh: Bool) throws(Fault) {
        guard isHigh != level else { return }
        let error = system.set(handle, isHigh)
        guard error == 0 else { throw Fault("\(name): cannot be driven: \(errorText(error))") }
        level = isHigh
    }

    public func toggle() throws(Fault) {
        try set(!level)
    }

    /// Waits for a rising edge of an input. - Returns: false after `stop`. - Throws: when the line can no longer be read.
    public func waitForEdge(_ stop: Cancellation) throws(Fault) -> Bool {
        guard stop.wait(for: system.descriptor(handle)) != .stopped else { return false }
        let error = system.readEdge(handle)
        guard error == 0 else { throw Fault("\(name): cannot be read: \(errorText(error))") }
        return true
    }
}
