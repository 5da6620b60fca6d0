import Board
import CBoard

/// Where JSON lines of a stream go: standard output, a file that they are appended to, or datagrams.
public final class LineOutput {
    /// What messages call it.
    public let name: String
    /// Whether there is no sense in going on without it.
    public var isVital: Bool { kind == .standardOutput }
    private enum Kind { case standardOutput, file, datagrams }
    private let kind: Kind
    private let descriptor: Int32

    /// Bytes that one UDP datagram carries at most.
    static let longestDatagram = 65507

    /// - Parameter destination: `-`, a path, or `udp://ADDRESS:PORT` with a numeric address, IPv6 in brackets.
    /// - Throws: when the file cannot be opened for writing, or the address is none.
    public init(_ destination: String) throws(Fault) {
        if destination == "-" {
            name = "standard output"
            kind = .standardOutput
            descriptor = STDOUT_FILENO
        } else if LineOutput.isDatagrams(destination) {
            name = destination
            kind = .datagrams
            descriptor = try LineOutput.socket(destination)
        } else {
            name = destination
            kind = .file
            descriptor = board_open(destination, O_WRONLY | O_CREAT | O_APPEND, 0o666)
            guard descriptor >= 0 else { throw Fault("\(destination): cannot be written: \(systemError())") }
        }
    }

    public static func isDatagrams(_ destination: String) -> Bool {
        destination.utf8.starts(with: "udp://".utf8)
    }

    private static func socket(_ destination: String) throws(Fault) -> Int32 {
        let bytes = Array(destination.utf8.dropFirst(6))
        let expected = Fault("\(destination): udp://ADDRESS:PORT with a numeric address is expected, as in udp://192.168.1.20:5005 or udp://[::1]:5005")
        guard let colon = bytes.lastIndex(of: 0x3A), let port = Int(String(decoding: bytes[(colon + 1)...], as: UTF8.self)),
            (1...65535).contains(port) else { throw expected }
        var address = Array(bytes[..<colon])
        if address.first == 0x5B, address.last == 0x5D { address = Array(address[1..<(address.count - 1)]) }
        let text = String(decoding: address, as: UTF8.self)
        let descriptor = board_datagrams_to(text == "localhost" ? "127.0.0.1" : text, Int32(port))
        guard descriptor >= 0 else {
            throw board_errno() == EINVAL ? expected : Fault("\(destination): \(systemError())")
        }
        return descriptor
    }

    /// Writes a whole line. - Throws: when it cannot be written. That nobody listens to datagrams is no fault.
    public func write(_ line: [UInt8]) throws(Fault) {
        guard kind == .datagrams else {
            guard line.withUnsafeBytes({ writeAll($0, to: descriptor) }) else { throw Fault("\(name): cannot be written: \(systemError())") }
            return
        }
        guard line.count <= LineOutput.longestDatagram else {
            throw Fault("\(name): a line of \(line.count) bytes does not fit into a datagram; --no-masks makes it short")
        }
        let error = board_datagram(descriptor, line, line.count)
        guard error == 0 || error == ECONNREFUSED else { throw Fault("\(name): cannot be sent: \(String(cString: strerror(error)))") }
    }

    deinit {
        if kind != .standardOutput { close(descriptor) }
    }
}
