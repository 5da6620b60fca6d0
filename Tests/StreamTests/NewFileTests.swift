import CSystem
import Foundation
import System
import TestSupport
import Testing

/// The places at which files are written, and the files that they replace.
@Suite struct NewFileTests {
    private func write(_ text: String, to path: String) throws {
        let file = try AtomicFile(path: path)
        try file.write(text)
        try file.commit()
    }

    private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    private func mode(_ path: String) -> UInt32 {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func linksAreFollowed() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path("far"), withIntermediateDirectories: true)
        _ = try folder.file("far/real.png", [1])
        chmod(folder.path("far/real.png"), 0o640)
        for (link, target) in [("one", "far/real.png"), ("two", "one"), ("absolute", folder.path("far/real.png")), ("dangling", "far/new.png")] {
            try FileManager.default.createSymbolicLink(atPath: folder.path(link), withDestinationPath: target)
        }
        for link in ["one", "two", "absolute", "dangling"] {
            try write(link, to: folder.path(link))
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder.path(link)).isEmpty == false)
            #expect(try text(folder.path(link == "dangling" ? "far/new.png" : "far/real.png")) == link)
        }
        // A replaced file keeps its permissions.
        #expect(mode(folder.path("far/real.png")) == 0o640)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("far")).sorted() == ["new.png", "real.png"])
        try FileManager.default.createSymbolicLink(atPath: folder.path("round"), withDestinationPath: "round")
        #expect(faultMessage { _ = try AtomicFile(path: folder.path("round")) }?.hasSuffix("cannot be written: Too many levels of symbolic links") == true)
    }

    /// An open descriptor is written to at its position, not replaced.
    @Test func openDescriptors() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("log", Array("before\n".utf8))
        let descriptor = open(path, O_WRONLY | O_APPEND)
        defer { close(descriptor) }
        for name in ["/dev/fd/\(descriptor)", "/proc/self/fd/\(descriptor)", "/proc/\(getpid())/fd/\(descriptor)"] { try write("\(name)\n", to: name) }
        try FileManager.default.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: "/dev/fd/\(descriptor)")
        try write("link\n", to: folder.path("link"))
        #expect(try text(path).split(separator: "\n").count == 5 && folder.contents() == ["link", "log"])
        let pipe = TestPipe()
        try write("through a pipe", to: "/dev/fd/\(pipe.writing)")
        close(pipe.writing)
        var bytes = [UInt8](repeating: 0, count: 100)
        #expect(read(pipe.reading, &bytes, 100) == 14)
        close(pipe.reading)
    }

    /// Overwriting stays within the written bytes, and is refused for a file opened for appending.
    @Test func goingBackInOpenDescriptors() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("log", [])
        let descriptor = open(path, O_WRONLY)
        _ = Array("before ".utf8).withUnsafeBytes { writeAll($0, to: descriptor) }
        let file = try AtomicFile(path: "/dev/fd/\(descriptor)")
        try file.write("abcdef")
        try file.overwrite(at: 1, Array("XY".utf8))
        try file.write("g")
        try file.commit()
        close(descriptor)
        #expect(try text(path) == "before aXYdefg")
        let appending = open(path, O_WRONLY | O_APPEND)
        defer { close(appending) }
        #expect(
            faultMessage { try AtomicFile(path: "/dev/fd/\(appending)").overwrite(at: 0, [1]) }
                == "/dev/fd/\(appending): cannot be written: opened for appending only")
    }

    @Test func whatCannotBeReplaced() throws {
        let folder = try TemporaryFolder()
        #expect(faultMessage { _ = try AtomicFile(path: folder.path) } == "\(folder.path): cannot be written: Is a directory")
        #expect(
            faultMessage { _ = try AtomicFile(path: folder.path("none/here")) } == folder.path("none/here") + ": cannot be written: No such file or directory")
        #expect(faultMessage { try write("x", to: "/dev/full") } == "/dev/full: cannot be written: No space left on device")
        // The longest possible name.
        let long = String(repeating: "ä", count: 127)
        try write("long", to: folder.path(long))
        #expect(try folder.contents() == [long])
        // Root may write anywhere.
        guard getuid() != 0 else { return }
        let path = try folder.file("protected", [1])
        chmod(path, 0o444)
        #expect(faultMessage { _ = try AtomicFile(path: path) } == "\(path): cannot be written: Permission denied")
    }

    @Test func unfinishedFilesAreUnpredictableAndGoAway() throws {
        let folder = try TemporaryFolder()
        var names: Set<String> = []
        for _ in 0..<20 {
            let file = try AtomicFile(path: folder.path("f"))
            try file.write([UInt8](repeating: 1, count: 200_000))
            names.formUnion(try folder.contents())
            withExtendedLifetime(file) {}
        }
        #expect(names.count == 20 && names.allSatisfy { $0.wholeMatch(of: /f\.part-[0-9a-f]{8,16}/) != nil }, "\(names)")
        #expect(try folder.contents().isEmpty)
    }

    @Test func piecesOfAnySize() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("f")
        let file = try AtomicFile(path: path)
        var expected: [UInt8] = []
        for (index, count) in [0, 1, 65535, 1, 65536, 65537, 3, 200_000, 0].enumerated() {
            let bytes = noise(count, seed: UInt64(index))
            try file.write(bytes)
            expected += bytes
        }
        try file.overwrite(at: 10, [1, 2, 3])
        expected.replaceSubrange(10..<13, with: [1, 2, 3])
        try file.append(whole: [9, 9])
        expected += [9, 9]
        try file.commit()
        #expect(try [UInt8](Data(contentsOf: URL(filePath: path))) == expected)
    }
}

/// The files that a command reads and writes.
@Suite struct FileClaimsTests {
    private func fault(_ reads: [String], _ writes: [String]) -> String? {
        var claims = FileClaims()
        for path in reads { claims.read(path, as: "--in") }
        for path in writes { claims.write(path, as: "--out") }
        return faultMessage { try claims.check() }
    }

    @Test func filesAreToldApartThroughLinks() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("file", [1])
        let other = try folder.file("other", [1])
        try FileManager.default.createSymbolicLink(atPath: folder.path("soft"), withDestinationPath: "file")
        try FileManager.default.linkItem(atPath: file, toPath: folder.path("hard"))
        try FileManager.default.createSymbolicLink(atPath: folder.path("new"), withDestinationPath: "absent")
        try FileManager.default.createSymbolicLink(atPath: folder.path("folder"), withDestinationPath: ".")
        for path in ["file", "soft", "hard", "./file", "folder/hard", "../\(URL(filePath: folder.path).lastPathComponent)/file"] {
            let fault = try #require(self.fault([file], [folder.path(path)]), "\(path)")
            #expect(fault.hasPrefix("--out \(folder.path(path)): is --in") && fault.hasSuffix(" too"), "\(fault)")
        }
        #expect(fault([file], [other]) == nil && fault([file, folder.path("hard")], [other]) == nil)
        // Files that do not exist yet, in folders that need not exist either.
        #expect(fault([], [folder.path("absent"), folder.path("new")]) != nil)
        #expect(fault([], [folder.path("a/b/c"), folder.path("folder/a/./b//c")]) != nil)
        #expect(fault([], [folder.path("a/b/c"), folder.path("a/b/d"), folder.path("b/c")]) == nil)
        // Devices can be shared.
        #expect(fault(["/dev/null"], ["/dev/null", "/dev/null"]) == nil)
        // Among many files.
        let many = (0..<500).map { folder.path("x\($0)") }
        #expect(fault(many, [folder.path("y")]) == nil && fault(many + [file], [folder.path("y"), folder.path("hard")]) != nil)
    }

    @Test func descriptorsAreFiles() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("file", [1])
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        var claims = FileClaims()
        claims.read(descriptor: descriptor, as: "standard input")
        claims.write(path, as: "--json")
        #expect(faultMessage { try claims.check() } == "--json \(path): is standard input too")
    }
}
