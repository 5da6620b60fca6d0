import CSystem
import CVideo
import System

/// The system calls that video takes: what a test replaces.
public protocol VideoSystem: Sendable {
    /// Opens a device for reading and writing. - Returns: a descriptor, or the negated number of an error.
    func open(_ path: String) -> Int32
    func close(_ descriptor: Int32)
    /// `ioctl` with one of `CVideo`'s requests and its structure. - Returns: 0, or the number of an error.
    func control(_ descriptor: Int32, _ request: UInt64, _ argument: UnsafeMutableRawPointer) -> Int32
    /// Maps a buffer; nil on failure.
    func map(_ descriptor: Int32, offset: Int, count: Int) -> UnsafeMutableRawPointer?
    func unmap(_ base: UnsafeMutableRawPointer, count: Int)
    /// Waits until a buffer can be dequeued, or the device has an event.
    func wait(_ descriptor: Int32, stop: Cancellation, milliseconds: Int32) -> Readiness
}

/// The kernel.
public struct LinuxVideo: VideoSystem {
    public init() {}

    public func open(_ path: String) -> Int32 { video_open(path) }

    public func close(_ descriptor: Int32) { _ = CVideo.close(descriptor) }

    public func control(_ descriptor: Int32, _ request: UInt64, _ argument: UnsafeMutableRawPointer) -> Int32 {
        video_control(descriptor, request, argument)
    }

    public func map(_ descriptor: Int32, offset: Int, count: Int) -> UnsafeMutableRawPointer? { video_map(descriptor, Int64(offset), count) }

    public func unmap(_ base: UnsafeMutableRawPointer, count: Int) { munmap(base, count) }

    public func wait(_ descriptor: Int32, stop: Cancellation, milliseconds: Int32) -> Readiness {
        stop.wait(for: descriptor, milliseconds: milliseconds)
    }
}
