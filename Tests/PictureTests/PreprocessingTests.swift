import Kernels
import TestSupport
import Testing

@testable import Imaging

@Suite struct PreprocessingTests {
    /// A picture of `../Fixtures/tiny` recorded from the original implementation: XXH3-64 of its arrays `image_rgb`, `resized_rgb` and of `input` as NHWC.
    struct Recorded: Sendable, CustomTestStringConvertible {
        let picture: String
        let shortestEdge: Int
        let resized: Size, padded: Size
        let imageHash: String, resizedHash: String, inputHash: String

        var testDescription: String { "\(picture) at \(shortestEdge)" }
    }

    static let recorded = [
        Recorded(
            picture: "synth_420x300.jpg", shortestEdge: 256, resized: Size(height: 256, width: 358), padded: Size(height: 256, width: 384),
            imageHash: "a03fd3931abb01fc", resizedHash: "2e4699a7acbb0822", inputHash: "cc8d4f749d3e5f1b"),
        Recorded(
            picture: "synth_161x97.png", shortestEdge: 128, resized: Size(height: 128, width: 212), padded: Size(height: 128, width: 224),
            imageHash: "923a916265c47ca2", resizedHash: "a9c8ede93fef8d62", inputHash: "172796062945c703"),
        Recorded(
            picture: "synth_420x300.jpg", shortestEdge: 160, resized: Size(height: 160, width: 224), padded: Size(height: 160, width: 224),
            imageHash: "a03fd3931abb01fc", resizedHash: "4c4a656ca58d02f8", inputHash: "011413f1d5aaaf8c"),
    ]

    @Test(arguments: recorded) func equalsTheOriginalToTheBit(_ recorded: Recorded) throws {
        let picture = try Picture.read(path: Fixture.path("pictures/" + recorded.picture))
        #expect(hash(picture) == recorded.imageHash)
        let preprocessor = Preprocessor(Preprocessing(shortestEdge: recorded.shortestEdge))
        preprocessor.resize(picture)
        #expect(preprocessor.resizedSize == recorded.resized)
        #expect(preprocessor.paddedSize == recorded.padded)
        #expect(hash(preprocessor.resized, count: recorded.resized.area * 3) == recorded.resizedHash)
        var input = [Float](repeating: .nan, count: recorded.padded.area * 3)
        preprocessor.normalize(into: &input)
        #expect(hash(input, count: input.count * 4) == recorded.inputHash)
    }

    @Test func buffersAreReusable() throws {
        // Large, small, large again: every result as from fresh buffers.
        let preprocessor = Preprocessor(Preprocessing(shortestEdge: 128))
        for name in ["synth_420x300.jpg", "synth_161x97.png", "wide_20000x3.png", "synth_420x300.jpg"] {
            let picture = try Picture.read(path: Fixture.path("pictures/" + name))
            let fresh = Preprocessor(preprocessor.preprocessing)
            preprocessor.resize(picture)
            fresh.resize(picture)
            #expect(preprocessor.resizedSize == fresh.resizedSize)
            let count = fresh.resizedSize.area * 3
            #expect(hash(preprocessor.resized, count: count) == hash(fresh.resized, count: count))
        }
    }

    struct Resizes: Decodable {
        struct Case: Decodable {
            let from, to: [Int]
            let hash: String
        }
        let cases: [Case]
    }

    @Test func resizeEqualsPillows() throws {
        let cases = try table("resize.json", as: Resizes.self).cases
        #expect(cases.count == 36)
        let resizer = BilinearResizer()
        for item in cases {
            let from = Size(height: item.from[0], width: item.from[1])
            let to = Size(height: item.to[0], width: item.to[1])
            // The pattern of make_resize_hashes.py.
            let source = (0..<from.area * 3).map { index -> UInt8 in
                let value = Int(truncatingIfNeeded: UInt64(index) &* 2_654_435_761 & 0xFFFF_FFFF) >> 24
                return UInt8(max(0, min(255, (value - 128) * 2 + 128)))
            }
            var target = [UInt8](repeating: 0, count: to.area * 3)
            resizer.resize(source, size: from, into: &target, size: to)
            #expect(hash(target, count: target.count) == item.hash, "\(from) to \(to)")
        }
    }

    @Test func sizesAreTheOriginals() {
        // Values of detectron2's ResizeShortestEdge.get_output_shape; below one pixel, where the original fails, one.
        let usual = Preprocessing()
        func check(_ height: Int, _ width: Int, _ expected: (Int, Int), _ preprocessing: Preprocessing) {
            #expect(preprocessing.resizedSize(of: Size(height: height, width: width)) == Size(height: expected.0, width: expected.1))
        }
        check(480, 640, (800, 1067), usual)
        check(640, 480, (1067, 800), usual)
        check(427, 640, (800, 1199), usual)
        check(1080, 1920, (750, 1333), usual)
        check(1, 1, (800, 800), usual)
        check(3, 20000, (1, 1333), usual)
        check(20000, 3, (1333, 1), usual)
        check(1024, 2048, (1024, 2048), Preprocessing(shortestEdge: 1024, maximumSize: 2560))
        #expect(usual.paddedSize(of: Size(height: 800, width: 1067)) == Size(height: 800, width: 1088))
        #expect(usual.paddedSize(of: Size(height: 1, width: 1333)) == Size(height: 32, width: 1344))
    }
}
