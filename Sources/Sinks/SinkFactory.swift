import System

/// Makes sinks by their destinations' names. Where a path leads depends on the source of the results.
public struct SinkFactory {
    public enum Source {
        /// One picture: paths are files.
        case picture
        /// Many pictures: paths of pictures and arrays are folders.
        case pictures
        /// A stream: paths of pictures are folders, of which the newest `keep` files stay (nil for all); lines are appended. Each sink has a thread
        /// of its own. With `everyFrame` a slow sink holds the source back instead of dropping results. `failed` is called on a sink's thread
        /// with a fault that ends the run.
        case stream(keep: Int?, everyFrame: Bool, failed: (Fault) -> Void)
    }

    /// Destinations on a network, by the start of their names.
    private static let networks: [(scheme: StaticString, make: @Sendable (String) throws(Fault) -> Sink)] = [
        ("udp://", { (destination) throws(Fault) in try DatagramSink(destination) })
    ]

    /// Lines and tables that wait for one destination before the oldest is dropped.
    private static let waitingLines = 32
    /// Pictures on their way to one folder at a time.
    private static let waitingPictures = 2

    private let source: Source

    public init(_ source: Source) {
        self.source = source
    }

    /// Whether a destination is on a network, not a file.
    public static func isNetwork(_ destination: String) -> Bool {
        networks.contains { destination.utf8.starts(with: "\($0.scheme)".utf8) }
    }

    /// JSON lines. - Parameter destination: `-`, a path, or an address on a network, as in `udp://ADDRESS:PORT`.
    /// - Throws: when the destination cannot be written to.
    public func lines(_ destination: String) throws(Fault) -> Sink {
        try queued(try lineSink(destination), SinkFactory.waitingLines)
    }

    private func lineSink(_ destination: String) throws(Fault) -> Sink {
        for network in SinkFactory.networks where destination.utf8.starts(with: "\(network.scheme)".utf8) { return try network.make(destination) }
        if destination == "-" { return StandardOutputSink() }
        if case .stream = source { return try AppendedLineFileSink(destination) }
        return try WholeLineFileSink(destination)
    }

    /// Tables for people, on standard output. - Throws: when no thread can be started.
    public func tables() throws(Fault) -> Sink {
        let isOneOfMany = if case .picture = source { false } else { true }
        return try queued(TableSink(isOneOfMany: isOneOfMany), SinkFactory.waitingLines)
    }

    /// Pictures with their segments drawn. - Throws: when a folder cannot be made.
    public func overlays(_ path: String) throws(Fault) -> Sink {
        try queued(OverlaySink(path, try paths(path, ending: ".png")), SinkFactory.waitingPictures)
    }

    /// Label maps. - Throws: when a folder cannot be made.
    public func labelMaps(_ path: String) throws(Fault) -> Sink {
        try queued(LabelMapSink(path, try paths(path, ending: ".png")), SinkFactory.waitingPictures)
    }

    /// Mask logits; of pictures only. - Throws: when a folder cannot be made.
    public func maskLogits(_ path: String) throws(Fault) -> Sink {
        MaskLogitsSink(path, try paths(path, ending: ".npy"))
    }

    private func paths(_ path: String, ending: StaticString) throws(Fault) -> OutputPaths {
        switch source {
        case .picture: break
        case .pictures: try makeFolder(path)
        case .stream(let keep, _, _): return .series(try PictureSeries(folder: path, keep: keep))
        }
        return paths(of: path, ending: ending)
    }

    /// The paths of files that `overlays`, `labelMaps` or `maskLogits` write for pictures, without making anything.
    public func paths(of path: String, ending: StaticString) -> OutputPaths {
        if case .picture = source { .file(path) } else { .folder(path, ending: ending) }
    }

    private func queued(_ sink: Sink, _ capacity: Int) throws(Fault) -> Sink {
        guard case .stream(_, let everyFrame, let failed) = source else { return sink }
        return try QueuedSink(sink, capacity: capacity, keepsAll: everyFrame, failed: failed)
    }
}
