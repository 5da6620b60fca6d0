import Foundation
import System

/// A folder that is deleted with its owner.
public final class TemporaryFolder {
    public let path: String

    public init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("fcclip-tests-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    public func path(_ name: String) -> String {
        path + "/" + name
    }

    /// Writes a file into the folder. - Returns: its path.
    public func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = path(name)
        // Foundation's methods of writing wait for the disk, which is too slow for thousands of small files.
        // So does overwriting in place on some file systems.
        unlink(path)
        guard let stream = fopen(path, "wb") else { throw Fault("\(path): \(systemError())") }
        defer { fclose(stream) }
        guard bytes.isEmpty || fwrite(bytes, 1, bytes.count, stream) == bytes.count else { throw Fault("\(path): \(systemError())") }
        return path
    }

    /// Names of the files in the folder, sorted.
    public func contents() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
