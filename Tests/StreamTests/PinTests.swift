import Foundation
import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import System
import TestSupport
import Testing

/// A board with scripted GPIO lines, which records the calls.
final class FakePins: PinSystem, @unchecked Sendable {
    private let monitor = Monitor()
    private let lines: [String]
    var openError: Int32 = 0, requestError: Int32 = 0, setError: Int32 = 0
    private(set) var talk: [String] = []
    private var inUse: Set<String> = []
    private var names: [Int: String] = [:]
    let edges = TestPipe()

    init(_ lines: [String]) { self.lines = lines }

    private func name(_ handle: UnsafeMutableRawPointer) -> String { names[Int(bitPattern: handle)]! }

    func open(_ line: PinName) -> (handle: UnsafeMutableRawPointer?, error: Int32) {
        let text =
            switch line {
            case .name(let name): name
            case .offset(let chip, let offset): "\(chip)/\(offset)"
            }
        guard openError == 0 else { return (nil, openError) }
        guard let index = lines.firstIndex(of: text) else { return (nil, ENOENT) }
        names[index + 1] = text
        talk.append("open \(text)")
        return (UnsafeMutableRawPointer(bitPattern: index + 1), 0)
    }

    private func request(_ handle: UnsafeMutableRawPointer, _ what: String) -> Int32 {
        guard requestError == 0 else { return requestError }
        guard inUse.insert(name(handle)).inserted else { return EBUSY }
        talk.append("\(what) \(name(handle))")
        return 0
    }

    func output(_ handle: UnsafeMutableRawPointer) -> Int32 { request(handle, "output") }
    func risingEdges(_ handle: UnsafeMutableRawPointer) -> Int32 { request(handle, "edges") }
    func descriptor(_ handle: UnsafeMutableRawPointer) -> Int32 { edges.reading }

    func readEdge(_ handle: UnsafeMutableRawPointer) -> Int32 {
        var byte: UInt8 = 0
        return read(edges.reading, &byte, 1) == 1 ? 0 : EIO
    }

    func set(_ handle: UnsafeMutableRawPointer, _ isHigh: Bool) -> Int32 {
        guard setError == 0 else { return setError }
        talk.append("\(name(handle)) \(isHigh ? 1 : 0)")
        return 0
    }

    func close(_ handle: UnsafeMutableRawPointer) {
        inUse.remove(name(handle))
        talk.append("close \(name(handle))")
    }
}

@Suite struct PinTests {
    @Test func names() throws {
        #expect(try PinName("GPIO17", option: "trigger") == .name("GPIO17"))
        #expect(try PinName("gpiochip0:17", option: "trigger") == .offset(chip: "gpiochip0", line: 17))
        #expect(try PinName("/dev/gpiochip4:0", option: "trigger") == .offset(chip: "/dev/gpiochip4", line: 0))
        for wrong in ["", ":", ":4", "chip:", "chip:-1", "chip:x", "a:1:2", "chip:99999999999"] {
            #expect(
                faultMessage { _ = try PinName(wrong, option: "trigger") }
                    == "--trigger \(wrong): a line's name, or CHIP:OFFSET, is expected; gpioinfo lists them")
        }
    }

    @Test func outputsAreDrivenAndGivenBack() throws {
        let board = FakePins(["LED", "gpiochip0/4"])
        do {
            let pin = try Pin(board, .name("LED"), output: true, option: "alarm")
            try pin.set(false)
            try pin.set(true)
            try pin.set(true)
            try pin.toggle()
            try pin.toggle()
            _ = try Pin(board, .offset(chip: "gpiochip0", line: 4), output: false, option: "trigger")
            board.setError = ENODEV
            #expect(faultMessage { try pin.toggle() } == "--alarm LED: cannot be driven: No such device")
            withExtendedLifetime(pin) { board.setError = 0 }
        }
        #expect(
            board.talk == [
                "open LED", "output LED", "LED 1", "LED 0", "LED 1", "open gpiochip0/4", "edges gpiochip0/4", "close gpiochip0/4", "LED 0", "close LED",
            ])
    }

    @Test func faultsSayWhatToDo() throws {
        let board = FakePins(["LED"])
        func message(_ name: String = "LED") -> String? { faultMessage { _ = try Pin(board, .name(name), output: true, option: "heartbeat") } }
        #expect(message("NONE") == "--heartbeat NONE: this board has no such line; gpioinfo lists those there are")
        do {
            let held = try Pin(board, .name("LED"), output: true, option: "alarm")
            #expect(message() == "--heartbeat LED: in use by another program or driver; gpioinfo shows which")
            withExtendedLifetime(held) {}
        }
        board.requestError = EINVAL
        #expect(message() == "--heartbeat LED: Invalid argument")
        board.openError = EACCES
        #expect(message()?.contains("usermod -aG gpio") == true)
        // Lines that were opened are closed again.
        #expect(board.talk.filter { $0 == "open LED" }.count == board.talk.filter { $0 == "close LED" }.count)
    }

    /// This machine has no GPIO, or at least no line of this name: the error comes from libgpiod itself.
    @Test func realBoardWithoutTheLine() throws {
        for line in [PinName.name("fcclip-edge-no-such-line"), .offset(chip: "/dev/gpiochip77", line: 3)] {
            #expect(
                faultMessage { _ = try Pin(LinuxPins(), line, output: true, option: "alarm") }?.hasPrefix(
                    "--alarm \(line == .name("fcclip-edge-no-such-line") ? "fcclip-edge-no-such-line" : "/dev/gpiochip77:3"): ") == true)
        }
    }

    @Test func edgesAreWaitedFor() throws {
        let board = FakePins(["BUTTON"])
        let stop = try Cancellation()
        let seen = Log<Int>()
        let pin = try Pin(board, .name("BUTTON"), output: false, option: "trigger")
        let thread = try System.Thread {
            do throws(Fault) {
                while try pin.waitForEdge(stop) { seen.add(1) }
            } catch {
                Issue.record("\(error.message)")
            }
        }
        for count in 1...3 {
            _ = [UInt8(0)].withUnsafeBytes { writeAll($0, to: board.edges.writing) }
            #expect(eventually { seen.entries.count == count })
        }
        stop.cancel()
        thread.join()
        close(board.edges.writing)
        #expect(faultMessage { _ = try pin.waitForEdge(try Cancellation()) } == "--trigger BUTTON: cannot be read: Input/output error")
    }

    // MARK: - Alarms

    @Test func rules() throws {
        func rule(_ text: String) throws -> (PinName, String, Double) {
            let rule = try AlarmRule(text)
            return (rule.line, rule.name, rule.area)
        }
        #expect(try rule("GPIO17:person") == (.name("GPIO17"), "person", 0))
        #expect(try rule("GPIO17:traffic light:0.25") == (.name("GPIO17"), "traffic light", 0.25))
        #expect(try rule("gpiochip0:17:person") == (.offset(chip: "gpiochip0", line: 17), "person", 0))
        #expect(try rule("gpiochip0:17:person:5%") == (.offset(chip: "gpiochip0", line: 17), "person", 0.05))
        #expect(try rule("L:n:1") == (.name("L"), "n", 1))
        for wrong in [
            "", "GPIO17", "GPIO17:", "GPIO17:person:", "GPIO17:person:2", "GPIO17:person:101%", "GPIO17:person:-1", "GPIO17:person:x", "a:b:c:d:e", ":person",
            "L:n:1e3", "L:n:%",
        ] {
            #expect(faultMessage { _ = try AlarmRule(wrong) } != nil, "\(wrong)")
        }
    }

    @Test func alarmsAreRaisedByNameAndArea() throws {
        let legend = Legend([
            .init(names: ["sky"], colour: Colour(0)), .init(names: ["person", "man"], colour: Colour(1)), .init(names: ["man"], colour: Colour(2)),
        ])
        func raises(_ text: String, _ segments: [(category: Int, area: Int)]) throws -> Bool {
            var segmentation = Segmentation(task: .panoptic, size: Size(height: 10, width: 10))
            for (index, segment) in segments.enumerated() {
                segmentation.segments.append(
                    Segment(
                        id: index + 1, category: segment.category, synonym: 0, isThing: true, score: 1, area: segment.area,
                        box: Box(x: 0, y: 0, width: 1, height: 1)))
            }
            let rule = try AlarmRule(text)
            return rule.isRaised(by: segmentation, categories: try rule.categories(legend))
        }
        #expect(try raises("L:person", [(0, 50), (1, 1)]))
        #expect(try !raises("L:person", [(0, 50), (1, 0)]))
        #expect(try raises("L:man", [(2, 1)]) && raises("L:man", [(1, 1)]) && !raises("L:sky", [(1, 1)]))
        #expect(try raises("L:sky:0.5", [(0, 50)]) && !raises("L:sky:0.51", [(0, 50)]))
        // Two segments that are too small do not add up to one that is large enough.
        #expect(try !raises("L:person:10%", [(1, 6), (1, 6)]))
        #expect(faultMessage { _ = try AlarmRule("L:dog").categories(legend) } == "--alarm L:dog: the vocabulary has no class of this name")
    }
}
