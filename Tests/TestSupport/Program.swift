import Foundation
import Kernels
import System

/// The programs of this package, as the test run built them.
public struct Program: Sendable {
    public static let edge = Program(name: "fcclip-edge")
    public static let quantize = Program(name: "quantize")
    /// A library that counts the allocations of a program that it is loaded before.
    public static let allocationCounter = Program(name: "libAllocationCounter.so")

    public struct Result: Sendable {
        public let status: Int32
        public let output: String
        public let errors: String

        /// Lines on standard error, without the progress that a terminal would overwrite.
        public var errorLines: [String] {
            errors.split(separator: "\n").map(String.init)
        }
    }

    public let name: String

    public var path: String {
        Bundle.main.bundleURL.appending(path: name).path
    }

    /// Runs to the end, at most `seconds` long. - Parameter shell: a command line in which `"$@"` stands for the program and its arguments.
    public func run(_ arguments: [String], shell: String? = nil, seconds: Double = 120) throws -> Result {
        let process = Process()
        if let shell {
            process.executableURL = URL(filePath: "/bin/sh")
            process.arguments = ["-c", shell, "sh", path] + arguments
        } else {
            process.executableURL = URL(filePath: path)
            process.arguments = arguments
        }
        let folder = try TemporaryFolder()
        let files = [folder.path("out"), folder.path("err")]
        for file in files { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: files[0])
        process.standardError = FileHandle(forWritingAtPath: files[1])
        try process.run()
        let deadline = Date().addingTimeInterval(seconds)
        while process.isRunning, Date() < deadline { usleep(5000) }
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        let text = files.map { String(decoding: FileManager.default.contents(atPath: $0) ?? Data(), as: UTF8.self) }
        // A signal's number is distinguished from an exit status of the program.
        let status = process.terminationReason == .uncaughtSignal ? 128 + process.terminationStatus : process.terminationStatus
        return Result(status: status, output: text[0], errors: text[1])
    }
}
