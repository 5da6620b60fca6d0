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

/// What the lines of a stream do when its source is lost.
@Suite struct StreamPinsTests {
    /// Lines that are all there, and remember their levels.
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

    @Test(arguments: [nil, "low", "high"]) func alarmsWhileTheSourceIsLost(level: String?) throws {
        let lines = Lines()
        var words = ["fcclip-edge", "--stdin", "mjpeg", "--model", "m", "--vocab", "v", "--alarm", "0:cat", "--alarm", "1:dog", "--heartbeat", "2"]
        if let level { words += ["--alarm-when-lost", level] }
        guard case .segment(let options) = try Options.parse(words) else {
            Issue.record("no run")
            return
        }
        let pins = try StreamPins(lines, options, Self.legend)
        pins.show(scene([0]))
        #expect(lines.levels == [[true], [], [true]])
        pins.lose()
        pins.lose()
        let isHigh = level == "high"
        #expect(lines.levels == [isHigh ? [true] : [true, false], isHigh ? [true] : [], [true]])
        // Back, and what is seen counts again.
        pins.show(scene([1]))
        #expect(lines.levels[0].last == false && lines.levels[1].last == true && lines.levels[2] == [true, false])
        pins.rest()
        #expect(lines.levels.map(\.last) == [false, false, false])
    }

    @Test func levelsAreLowOrHigh() throws {
        let fault = #expect(throws: Fault.self) { _ = try Options.parse(["fcclip-edge", "--alarm-when-lost", "off"]) }
        #expect(fault?.message == "--alarm-when-lost off: low or high is expected")
    }
}
