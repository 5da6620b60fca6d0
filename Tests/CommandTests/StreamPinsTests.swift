import Foundation
import Imaging
import Kernels
import ModelFormat
import Network
import Sinks
import System
import TestSupport
import Testing

@testable import fcclip_edge

/// The GPIO lines of a stream whose source is lost.
@Suite struct StreamPinsTests {
    /// GPIO lines that all exist, and record their levels.
    private final class Lines: PinSystem, @unchecked Sendable {
        private(set) var levels: [[Bool]] = [[], [], []]

        private func index(_ handle: UnsafeMutableRawPointer) -> Int { Int(bitPattern: handle) - 1 }
        func open(_ line: PinName) -> (handle: UnsafeMutableRawPointer?, error: Int32) {
            guard case .name(let name) = line, let number = Int(name) else { return (nil, ENOENT) }
            return (UnsafeMutableRawPointer(bitPattern: number + 1), 0)
        }
        func output(_ handle: UnsafeMutableRawPointer) -> Int32 { 0 }
        func risingEdges(_ handle: UnsafeMutableRawPointer) -> Int32 { 0 }
        func descriptor(_ handle: UnsafeMutableRawPointer) -> Int32 { -1 }
        func readEdge(_ handle: UnsafeMutableRawPointer) -> Int32 { 0 }
        func set(_ handle: UnsafeMutableRawPointer, _ isHigh: Bool) -> Int32 {
            levels[index(handle)].append(isHigh)
            return 0
        }
        func close(_ handle: UnsafeMutableRawPointer) {}
    }

    private static let legend = Legend([.init(names: ["cat"], colour: Colour(0)), .init(names: ["dog"], colour: Colour(1))])

    private func scene(_ categories: [Int]) -> Segmentation {
        var scene = Segmentation(task: .panoptic, size: Size(height: 10, width: 10))
        scene.segments = categories.enumerated().map {
            Segment(id: $0 + 1, category: $1, synonym: 0, isThing: true, score: 1, area: 10, box: Box(x: 0, y: 0, width: 1, height: 1))
        }
        return scene
    }

    private func show(_ categories: [Int], to sinks: SinkSet) {
        var result = SinkResult(scene(categories), legend: Self.legend, picture: "", totalMilliseconds: 0)
        sinks.accept(&result, line: { [] }, failed: { _, fault in Issue.record("\(fault.message)") })
    }

    @Test(arguments: [nil, "low", "high"]) func alarmsWhileTheSourceIsLost(level: String?) throws {
        let lines = Lines()
        var words = ["fcclip-edge", "--stdin", "mjpeg", "--model", "m", "--vocab", "v", "--alarm", "0:cat", "--alarm", "1:dog", "--heartbeat", "2"]
        if let level { words += ["--alarm-when-lost", level] }
        guard case .segment(let options) = try Options.parse(words) else {
            Issue.record("no run")
            return
        }
        let sinks = SinkSet()
        try options.addPins(of: lines, Self.legend, to: sinks)
        show([0], to: sinks)
        #expect(lines.levels == [[true], [], [true]])
        sinks.sourceLost()
        sinks.sourceLost()
        let isHigh = level == "high"
        #expect(lines.levels == [isHigh ? [true] : [true, false], isHigh ? [true] : [], [true]])
        // The source is back, and segments set the lines again.
        show([1], to: sinks)
        #expect(lines.levels[0].last == false && lines.levels[1].last == true && lines.levels[2] == [true, false])
        #expect(sinks.finish(within: 0).isEmpty)
        #expect(lines.levels.map(\.last) == [false, false, false])
    }

    @Test func levelsAreLowOrHigh() throws {
        let fault = #expect(throws: Fault.self) { _ = try Options.parse(["fcclip-edge", "--alarm-when-lost", "off"]) }
        #expect(fault?.message == "--alarm-when-lost off: low or high is expected")
    }

    /// A vocabulary that lacks a name is refused; a valid one is used from the next result on.
    @Test func otherVocabularies() throws {
        let lines = Lines()
        guard
            case .segment(let options) = try Options.parse([
                "fcclip-edge", "--stdin", "mjpeg", "--model", "m", "--vocab", "v", "--alarm", "0:dog",
            ])
        else { return #expect(Bool(false)) }
        let sinks = SinkSet()
        try options.addPins(of: lines, Self.legend, to: sinks)
        let fault = #expect(throws: Fault.self) { try sinks.check(Legend([.init(names: ["cat"], colour: Colour(0))])) }
        #expect(fault?.message == "--alarm 0:dog: the vocabulary has no class of this name")
        show([1], to: sinks)
        #expect(lines.levels[0] == [true])
        let other = Legend([.init(names: ["dog"], colour: Colour(0)), .init(names: ["cat"], colour: Colour(1))])
        try sinks.check(other)
        sinks.adopt(other)
        show([1], to: sinks)
        #expect(lines.levels[0] == [true, false])
    }
}
