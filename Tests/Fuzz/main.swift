import CSystem
import Foundation
import System
import TestSupport

// A case runs in a worker process, because a trap ends it. The worker records the number of each case before it starts, so
// that the parent knows which case failed.

let arguments = Array(CommandLine.arguments.dropFirst())
let usage = "usage: Fuzz SECONDS [READER[:FIRST] ...] | Fuzz case READER NUMBER; readers: " + Reader.allCases.map(\.rawValue).joined(separator: " ")

func fail(_ text: String) -> Never {
    FileHandle.standardError.write(Data((text + "\n").utf8))
    exit(2)
}

/// Reads one case. - Returns: whether the reader accepted the file.
func run(_ reader: Reader, _ number: Int, _ seeds: SeedFiles, _ folder: TemporaryFolder) throws -> Bool {
    let bytes = reader.make(number, seeds)
    let path = try folder.file("case", bytes)
    alarm(10)
    defer { alarm(0) }
    do {
        try reader.read(path, bytes: bytes, seeds)
        return true
    } catch let fault as Fault {
        precondition(!fault.message.isEmpty && !fault.message.contains("\n") && fault.message.utf8.count < 2000, "a fault is one short line")
        return false
    }
}

func work(_ reader: Reader, from first: Int, count: Int, note: String) throws {
    var limit = rlimit(rlim_cur: 4 << 30, rlim_max: 4 << 30)
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    let seeds = try SeedFiles()
    let folder = try TemporaryFolder()
    let descriptor = open(note, O_WRONLY | O_CREAT, 0o644)
    var accepted = 0
    for number in first..<first + count {
        var progress = [number, accepted]
        pwrite(descriptor, &progress, 16, 0)
        if try run(reader, number, seeds, folder) { accepted += 1 }
    }
    var progress = [first + count, accepted]
    pwrite(descriptor, &progress, 16, 0)
}

/// Processor time of the workers so far, in seconds.
func childTime() -> Double {
    var usage = rusage()
    getrusage(RUSAGE_CHILDREN.rawValue, &usage)
    return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6
}

func fuzz(_ reader: Reader, from first: Int, seconds: Double, _ seeds: SeedFiles, _ folder: TemporaryFolder) throws -> Int {
    let start = childTime()
    let note = folder.path("progress")
    var number = first
    var accepted = 0
    var finds = 0
    while childTime() - start < seconds {
        _ = try folder.file("progress", [UInt8](repeating: 0, count: 16))
        let worker = Process()
        worker.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        worker.arguments = ["work", reader.rawValue, String(number), "2000", note]
        worker.standardError = FileHandle.nullDevice
        // The backtrace of a trap takes longer than a thousand cases.
        worker.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        try worker.run()
        worker.waitUntilExit()
        let progress = [UInt8](try Data(contentsOf: URL(fileURLWithPath: note)))
        number = progress.integer(Int.self, at: 0)
        accepted += progress.integer(Int.self, at: 8)
        guard worker.terminationReason != .exit || worker.terminationStatus != 0 else { continue }
        finds += 1
        let file = "find-\(reader.rawValue)-\(number)"
        try Data(reader.make(number, seeds)).write(to: URL(fileURLWithPath: file))
        print(
            "\(reader.rawValue): case \(number) ended with \(worker.terminationReason == .exit ? "status" : "signal") \(worker.terminationStatus), kept as \(file)"
        )
        number += 1
    }
    print("\(reader.rawValue): cases \(first) to \(number - 1), \(accepted) accepted, \(finds) finds, \(Int(childTime() - start)) s")
    return finds
}

switch arguments.first {
case "work":
    guard arguments.count == 5, let reader = Reader(rawValue: arguments[1]), let first = Int(arguments[2]), let count = Int(arguments[3]) else { fail(usage) }
    try work(reader, from: first, count: count, note: arguments[4])
case "case":
    guard arguments.count == 3, let reader = Reader(rawValue: arguments[1]), let number = Int(arguments[2]) else { fail(usage) }
    print(try run(reader, number, SeedFiles(), TemporaryFolder()) ? "accepted" : "refused")
case let seconds?:
    guard let seconds = Double(seconds) else { fail(usage) }
    var readers: [(Reader, Int)] = []
    for argument in arguments.dropFirst() {
        let parts = argument.split(separator: ":")
        guard let reader = Reader(rawValue: String(parts[0])), let first = parts.count == 1 ? 0 : Int(parts[1]) else { fail(usage) }
        readers.append((reader, first))
    }
    if readers.isEmpty { readers = Reader.allCases.map { ($0, 0) } }
    setvbuf(system_stdout(), nil, _IOLBF, 0)
    let seeds = try SeedFiles()
    let folder = try TemporaryFolder()
    var finds = 0
    for (reader, first) in readers {
        finds += try fuzz(reader, from: first, seconds: seconds, seeds, folder)
    }
    exit(finds == 0 ? 0 : 1)
case nil: fail(usage)
}
