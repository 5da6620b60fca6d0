import CSystem
import System

/// JSON lines as UDP datagrams, one each.
final class DatagramSink: Sink {
    private let datagrams: UnsafeMutablePointer<system_datagrams>

    /// Bytes that one UDP datagram carries at most.
    private static let longestDatagram = 65507

    /// - Parameter destination: `udp://ADDRESS:PORT` with a numeric address, IPv6 in brackets.
    /// - Throws: when the address is none. A network that is down is no fault: it may come up.
    init(_ destination: String) throws(Fault) {
        datagrams = try DatagramSink.socket(destination)
        super.init(destination, needs: .line, form: .line, isNetwork: true)
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

    override func write(_ result: SinkResult) throws(Fault) {
        let line = result.line
        guard line.count <= DatagramSink.longestDatagram else {
            throw Fault("\(name): a line of \(line.count) bytes does not fit into a datagram; --no-masks makes it short")
        }
        // Of earlier lines: what the network has reported since.
        var lost: Int64 = 0
        let error = system_datagrams_send(datagrams, line, line.count, &lost)
        failedCount += Int(lost)
        guard error == 0 else { throw Fault("\(name): cannot be sent: \(errorText(error))") }
    }

    deinit {
        close(datagrams.pointee.descriptor)
        datagrams.deallocate()
    }
}
