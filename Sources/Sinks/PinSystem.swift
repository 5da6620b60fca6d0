import CGPIO
import CSystem

/// The calls that GPIO takes: what a test replaces. Results are 0, or the number of an error.
public protocol PinSystem: Sendable {
    /// A line, not yet in use; nil with the error.
    func open(_ line: PinName) -> (handle: UnsafeMutableRawPointer?, error: Int32)
    /// Makes it an output, low.
    func output(_ handle: UnsafeMutableRawPointer) -> Int32
    /// Makes it an input that reports rising edges.
    func risingEdges(_ handle: UnsafeMutableRawPointer) -> Int32
    /// Readable when an edge has come.
    func descriptor(_ handle: UnsafeMutableRawPointer) -> Int32
    /// Takes one edge off.
    func readEdge(_ handle: UnsafeMutableRawPointer) -> Int32
    func set(_ handle: UnsafeMutableRawPointer, _ isHigh: Bool) -> Int32
    /// Gives the line back.
    func close(_ handle: UnsafeMutableRawPointer)
}

/// The kernel, through libgpiod.
public struct LinuxPins: PinSystem {
    public init() {}

    public func open(_ line: PinName) -> (handle: UnsafeMutableRawPointer?, error: Int32) {
        var error: Int32 = 0
        let handle =
            switch line {
            case .name(let name): gpio_open(nil, name, 0, &error)
            case .offset(let chip, let offset): gpio_open(chip, nil, offset, &error)
            }
        return (handle, error)
    }

    public func output(_ handle: UnsafeMutableRawPointer) -> Int32 { gpio_output(handle) }
    public func risingEdges(_ handle: UnsafeMutableRawPointer) -> Int32 { gpio_rising_edges(handle) }
    public func descriptor(_ handle: UnsafeMutableRawPointer) -> Int32 { gpio_descriptor(handle) }
    public func readEdge(_ handle: UnsafeMutableRawPointer) -> Int32 { gpio_read_edge(handle) }
    public func set(_ handle: UnsafeMutableRawPointer, _ isHigh: Bool) -> Int32 { gpio_set(handle, isHigh ? 1 : 0) }
    public func close(_ handle: UnsafeMutableRawPointer) { gpio_close(handle) }
}
