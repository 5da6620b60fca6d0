import Foundation
import Kernels
import ModelFormat
import Network
import Sinks
import System
import TestSupport
import Testing

@testable import Imaging

@Suite struct PaintingTests {
    static let legend = Legend([
        .init(names: ["sky"], colour: Colour(0x4682B4)), .init(names: ["a name that is much too long for any picture; naïve"], colour: Colour(0xDC143C)),
    ])

    private func scene(_ size: Size) -> Segmentation {
        var segmentation = Segmentation(task: .panoptic, size: size)
        segmentation.add([Box(x: 0, y: 0, width: size.width, height: (size.height + 1) / 2)], category: 0, isThing: false)
        let quarter = Box(x: size.width / 4, y: size.height / 4, width: max(size.width / 4, 1), height: max(size.height / 2, 1))
        segmentation.add([quarter], category: 1, score: .nan)
        segmentation.add([Box(x: size.width / 2, y: quarter.y, width: quarter.width, height: quarter.height)], category: 1, score: 7)
        return segmentation
    }

    @Test func labelMapHoldsSixteenBits() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("ids.png")
        let size = Size(height: 5, width: 9)
        var segmentation = Segmentation(task: .panoptic, size: size)
        for index in 0..<size.area { segmentation.labels[index] = UInt16(index * 1433) }
        // The reader keeps high bytes; swapped, they are the low ones.
        for isSwapped in [false, true] {
            var written = segmentation
            if isSwapped { written.labels = segmentation.labels.map(\.byteSwapped) }
            try LabelMap.write(written, to: path)
            let read = try Picture.read(path: path)
            #expect(read.size == size)
            for index in 0..<size.area { #expect(Int(read.pixels[index * 3 + 1]) == Int(written.labels[index] >> 8)) }
        }
        #expect(try folder.contents() == ["ids.png"])
    }

    @Test func rgbSurvivesTheFile() throws {
        let folder = try TemporaryFolder()
        let picture = try Picture.read(path: Fixture.path("pictures/synth_420x300.jpg"))
        try PNG.write(rgb: picture.pixels, size: picture.size, to: folder.path("copy.png"))
        let copy = try Picture.read(path: folder.path("copy.png"))
        #expect(copy.size == picture.size && hash(copy) == hash(picture))
    }

    @Test func segmentsArePaintedAndTheRestIsLeft() {
        let size = Size(height: 300, width: 400)
        let picture = Picture(size: size)
        for index in 0..<picture.byteCount { picture.pixels[index] = 100 }
        let segmentation = scene(size)
        Overlay.draw(segmentation, legend: PaintingTests.legend, on: picture.pixels)
        func pixel(_ x: Int, _ y: Int) -> [Int] { (0..<3).map { Int(picture.pixels[(y * size.width + x) * 3 + $0]) } }
        // Bottom corner: no segment. Sky: bluish. The two things: different shades.
        #expect(pixel(399, 299) == [100, 100, 100])
        #expect(pixel(20, 5)[2] > 110 && pixel(20, 5)[0] < 100)
        #expect(pixel(110, 200) != pixel(290, 200))
        // The edge of a thing stands out from its inside.
        #expect(pixel(100, 200) != pixel(110, 200))
        // Text is bright, on dark.
        var bright = 0
        var dark = 0
        for index in 0..<size.area {
            let colour = (0..<3).map { picture.pixels[index * 3 + $0] }
            if colour.allSatisfy({ $0 > 190 }) { bright += 1 }
            if colour.allSatisfy({ $0 < 70 }) { dark += 1 }
        }
        #expect(bright > 50 && dark > 500)
    }

    @Test(arguments: [(1, 1), (1, 30), (30, 1), (7, 5), (40, 2000), (2000, 3), (64, 64)])
    func anyShapeCanBePainted(_ height: Int, _ width: Int) {
        let size = Size(height: height, width: width)
        let picture = Picture(size: size)
        Overlay.draw(scene(size), legend: PaintingTests.legend, on: picture.pixels)
        Overlay.draw(Segmentation(task: .semantic, size: size), legend: PaintingTests.legend, on: picture.pixels)
        #expect((0..<picture.byteCount).contains { picture.pixels[$0] > 0 })
    }

    @Test func hundredsOfSegmentsCanBePainted() {
        let size = Size(height: 200, width: 200)
        let picture = Picture(size: size)
        var segmentation = Segmentation(task: .instance, size: size)
        for index in 0..<400 { segmentation.add([Box(x: index % 20 * 10, y: index / 20 * 10, width: 9, height: 9)], category: index % 3) }
        Overlay.draw(segmentation, legend: PaintingTests.legend, on: picture.pixels)
        #expect(picture.pixels[(105 * 200 + 105) * 3] > 0)
    }

    @Test func unwritablePlacesAreSaid() throws {
        let folder = try TemporaryFolder()
        let segmentation = scene(Size(height: 8, width: 8))
        let absent = folder.path("absent/ids.png")
        #expect(faultMessage { try LabelMap.write(segmentation, to: absent) } == "\(absent): cannot be written: No such file or directory")
        #expect(faultMessage { try LabelMap.write(segmentation, to: folder.path) }?.hasPrefix("\(folder.path): cannot be written: ") == true)
        #expect(try folder.contents().isEmpty)
    }

    @Test func fullDiskLeavesNothing() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("overlay.png")
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/dev/full")
        let picture = Picture(size: Size(height: 300, width: 300))
        let message = faultMessage { try PNG.write(rgb: picture.pixels, size: picture.size, to: path) }
        #expect(message == "\(path): cannot be written: No space left on device")
        #expect(try folder.contents() == ["overlay.png"])
    }

    /// The name of a file before it is complete cannot be predicted, so that no prepared link is followed.
    @Test func plantedLinksAreNotFollowed() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("overlay.png")
        let victim = try folder.file("victim", [1, 2, 3])
        for name in ["overlay.png.part", "overlay.png.part-\(getpid())"] {
            try FileManager.default.createSymbolicLink(atPath: folder.path(name), withDestinationPath: victim)
        }
        let picture = Picture(size: Size(height: 30, width: 30))
        try PNG.write(rgb: picture.pixels, size: picture.size, to: path)
        #expect(try [UInt8](Data(contentsOf: URL(filePath: victim))) == [1, 2, 3] && folder.contents().count == 4)
    }
}
