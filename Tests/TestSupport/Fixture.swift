import Foundation
import System
import Text

/// Files below `Tests/Fixtures`.
public enum Fixture {
    public static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// - Throws: when the repository lacks the file.
    public static func path(_ name: String) throws -> String {
        let path = repository + "/Tests/Fixtures/" + name
        guard FileManager.default.fileExists(atPath: path) else { throw Fault("\(path): the fixture is missing") }
        return path
    }

    public static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    /// Unpacks the fixture `name`.gz into `folder`. - Returns: the path of the unpacked file.
    public static func unpacked(_ name: String, in folder: TemporaryFolder) throws -> String {
        let source = try path(name + ".gz")
        let packed = try Data(contentsOf: URL(fileURLWithPath: source))
        let bytes = try packed.withUnsafeBytes { try Gzip.inflate($0, path: source) }
        return try folder.file((name as NSString).lastPathComponent, bytes)
    }
}
