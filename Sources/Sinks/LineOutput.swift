import CSystem
import System

/// Where JSON lines of a stream go: standard output, a file that they are appended to, or datagrams.
public final class LineOutput {
    /// What messages call it.
    public let name: String
    /// Whether there is no sense in going on without it.
    public var isVital: Bool { if case .standardOutput = kind { true } else { false } }
    /// Lines that are known to be lost: that could not be written or sent, or that the network reported as undeliverable.
    public private(set) var lostCount = 0

    private enum Kind {
        case standardOutput
        case file(Int32)
        case datagrams(UnsafeMutablePointer<system_datagrams>)
    }

    private let kind: Kind
    /// Whether the file ends within a line: one that an earlier run, or a full disk, cut short.
    private var isTorn = false

    /// Bytes that one UDP datagram carries at most.
    static let longestDatagram = 65507

    /// - Parameter destination: `-`, a path, or `udp://ADDRESS:PORT` with a numeric address, IPv6 in brackets.
    /// - Throws: when the file cannot be opened for writing, or the address is none. A network that is down is no fault: it may come up.
    public init(_ destination: String) throws(Fault) {
        if destination == "-" {
            name = "standard output"
            kind = .standardOutput
        } else if LineOutput.isDatagrams(destination) {
            name = destination
            kind = .datagrams(try LineOutput.socket(destination))
        } else {
            name = destination
            let descriptor = openForAppending(destination)
            guard descriptor >= 0 else { throw Fault("\(destination): cannot be written: \(systemError())") }
            kind = .file(descriptor)
            isTorn = endsWithinLine(destination)
        }
    }

    public static func isDatagrams(_ destination: String) -> Bool {
        destination.utf8.starts(with: "udp://".utf8)
    }

    private static func socket(_ destination: String) throws(Fault) -> UnsafeMutablePointer<system_datagrams> {
        let bytes = Array(destination.utf8.dropFirst(6))
        let expected = Fault("\(destination): udp://ADDRESS:PORT with a numeric address is expected, as in udp://192.168.1.20:5005 or udp://[::1]:5005")
        guard let colon = bytes.lastIndex(of: 0x3A), let port = Int(String(decoding: bytes[(colon + 1)...], as: UTF8.self)),
            (1...65535).contains(port)
        else { throw expected }
        var address = Array(bytes[..<colon])
        if address.first == 0x5B, address.last == 0x5D { address = Array(address[1..<(address.count - 1)]) }
        let text = String(decoding: address, as: UTF8.self)
        let datagrams = UnsafeMutablePointer<system_datagrams>.allocate(capacity: 1)
        datagrams.initialize(to: system_datagrams())
        let error = system_datagrams_open(datagrams, text == "localhost" ? "127.0.0.1" : text, Int32(port))
        guard error == 0 else {
            datagrams.deallocate()
            throw error == EINVAL ? expected : Fault("\(destination): \(errorText(error))")
        }
        return datagrams
    }

    /// Writes a whole line. - Throws: when it cannot be written or sent; it is counted as lost.
    public func write(_ line: [UInt8]) throws(Fault) {
        switch kind {
        case .standardOutput: try write(line, to: STDOUT_FILENO)
        case .file(let descriptor): try write(line, to: descriptor)
        case .datagrams(let datagrams): try send(line, datagrams)
        }
    }

    private func write(_ line: [UInt8], to descriptor: Int32) throws(Fault) {
        if isTorn {
            // What was cut short stays alone on its line.
            guard [UInt8(0x0A)].withUnsafeBytes({ writeAll($0, to: descriptor) }) else { throw failure() }
            isTorn = false
        }
        var done = 0
        guard line.withUnsafeBytes({ writeAll($0, to: descriptor, done: &done) }) else {
            isTorn = done > 0
            throw failure()
        }
    }

    private func failure() -> Fault {
        lostCount += 1
        return Fault("\(name): cannot be written: \(systemError())")
    }

    private func send(_ line: [UInt8], _ datagrams: UnsafeMutablePointer<system_datagrams>) throws(Fault) {
        guard line.count <= LineOutput.longestDatagram else {
            lostCount += 1
            throw Fault("\(name): a line of \(line.count) bytes does not fit into a datagram; --no-masks makes it short")
        }
        var lost: Int64 = 0
        let error = system_datagrams_send(datagrams, line, line.count, &lost)
        lostCount += Int(lost)
        guard error == 0 else {
            lostCount += 1
            throw Fault("\(name): cannot be sent: \(errorText(error))")
        }
    }

    deinit {
        switch kind {
        case .standardOutput: break
        case .file(let descriptor): close(descriptor)
        case .datagrams(let datagrams):
            close(datagrams.pointee.descriptor)
            datagrams.deallocate()
        }
    }
}
