import Capture
import Foundation
import Kernels
import System
import TestSupport
import Testing

@Suite struct PipeTests {
    static let small = FrameLayout(.grey, size: Size(height: 5, width: 20))

    /// The frames from a pipe into which `bytes` are written in pieces of `piece`.
    private func frames(_ bytes: [UInt8], _ layout: FrameLayout, piece: Int) throws -> (frames: [[UInt8]], dropped: Int) {
        let pipe = TestPipe()
        let stop = try Cancellation()
        let mailbox = FrameMailbox(keepsAll: true)
        let source = PipeSource("test", descriptor: pipe.reading, layout: layout, stop: stop)
        let faults = Log<String>()
        let writer = try System.Thread {
            for start in stride(from: 0, to: bytes.count, by: piece) {
                _ = bytes[start..<min(start + piece, bytes.count)].withUnsafeBytes { writeAll($0, to: pipe.writing) }
            }
            close(pipe.writing)
        }
        let reader = try System.Thread {
            do throws(Fault) { try source.capture(into: mailbox) } catch { faults.add(error.message) }
            mailbox.end()
        }
        var found: [[UInt8]] = []
        while let frame = mailbox.take() {
            #expect(frame.layout == layout && frame.number == found.count + 1)
            found.append(frame.content)
        }
        writer.join()
        reader.join()
        close(pipe.reading)
        if let message = faults.entries.first { throw Fault(message) }
        return (found, source.droppedCount)
    }

    @Test(arguments: [1, 33, 100, 4096]) func rawFrames(piece: Int) throws {
        let bytes = noise(1000)
        #expect(try frames(bytes, Self.small, piece: piece).frames == (0..<10).map { Array(bytes[$0 * 100..<$0 * 100 + 100]) })
        // The incomplete last frame is left out.
        #expect(try frames(Array(bytes[..<250]), Self.small, piece: piece).frames.count == 2)
    }

    @Test func wrongSize() throws {
        for count in [0, 99] {
            #expect(faultMessage { _ = try frames(noise(count), Self.small, piece: 7) } == "test: ended after \(count) bytes; a frame of grey, 20 x 5, has 100")
        }
    }

    @Test func stopEndsWaiting() throws {
        let pipe = TestPipe()
        let stop = try Cancellation()
        let mailbox = FrameMailbox()
        defer {
            close(pipe.reading)
            close(pipe.writing)
        }
        let source = PipeSource("test", descriptor: pipe.reading, layout: Self.small, stop: stop)
        let reader = try System.Thread {
            do throws(Fault) { try source.capture(into: mailbox) } catch { Issue.record("\(error.message)") }
            mailbox.end()
        }
        usleep(20_000)
        stop.cancel()
        #expect(mailbox.take() == nil)
        reader.join()
        #expect(stop.isCancelled)
    }

    // MARK: - JPEG

    static let layout = FrameLayout(.mjpeg, size: Size(height: 0, width: 0))

    private func pictures() throws -> [[UInt8]] {
        try ["baseline_420.jpg", "progressive.jpg", "restart.jpg", "orientation_6.jpg", "one_pixel.jpg", "synth_420x300.jpg"].map {
            try Fixture.bytes("pictures/" + $0)
        }
    }

    @Test(arguments: [1, 5, 1000, 1 << 20]) func jpegPictures(piece: Int) throws {
        let pictures = try pictures()
        #expect(try frames(Array(pictures.joined()), Self.layout, piece: piece) == (pictures, 0))
        // As in a multipart stream, with headers and zeros between pictures.
        let before = Array("--frame\r\nContent-Type: image/jpeg\r\n\r\n".utf8)
        let after: [UInt8] = [0, 0xFF, 0, 0xFF]
        let parts = Array(pictures.map { before + $0 + after }.joined())
        #expect(try frames(parts, Self.layout, piece: piece) == (pictures, 0))
    }

    @Test func thumbnailsAreNoPictures() throws {
        let picture = try Fixture.bytes("pictures/baseline_420.jpg")
        let inner = try Fixture.bytes("pictures/one_pixel.jpg")
        let length = inner.count + 2
        let outer = picture[..<2] + [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)] + inner + picture[2...]
        #expect(try frames(outer + picture, Self.layout, piece: 100).frames == [Array(outer), picture])
    }

    @Test func jpegThatIsCutShort() throws {
        let whole = try Fixture.bytes("pictures/synth_420x300.jpg")
        let cut = Array(whole[..<(whole.count / 2)])
        #expect(try frames(cut + whole, Self.layout, piece: 100) == ([cut, whole], 0))
        #expect(try frames(whole + cut, Self.layout, piece: 100) == ([whole, cut], 0))
        // A picture that ends among its headers damages only the next one.
        #expect(try frames(Array(whole[..<30]) + whole + whole, Self.layout, piece: 100).frames.last == whole)
        #expect(try frames([0xFF, 0xD8, 0xFF, 0xD9] + whole, Self.layout, piece: 100) == ([whole], 1))
        #expect(faultMessage { _ = try frames(Array("no pictures here".utf8), Self.layout, piece: 3) } == "test: ended without a JPEG picture")
        #expect(faultMessage { _ = try frames([], Self.layout, piece: 3) } == "test: ended without a JPEG picture")
    }

    @Test func endlessDataAreNoPicture() throws {
        let whole = try Fixture.bytes("pictures/one_pixel.jpg")
        let start = try #require(whole.firstRange(of: [0xFF, 0xDA])).upperBound
        let endless = whole[..<(start + 20)] + [UInt8](repeating: 7, count: 33 << 20)
        let found = try frames(endless + whole, Self.layout, piece: 1 << 16)
        #expect(found.frames == [whole] && found.dropped == 1)
    }

    /// A marker with a length, among compressed data or in place of a header's length, extends over the pictures that follow; they arrive nevertheless.
    @Test(
        arguments: [1, 700, 1 << 20],
        [[0xFF, 0xC4, 0xFF, 0xFF], [0xFF, 0xE1, 0xFF, 0xFF], [0xFF, 0xDA, 0x40, 0], [0xFF, 0xC0, 0xF0, 0], [0xFF, 0xD8, 0, 0], [0xFF, 0xFE, 0x80, 1]]
            as [[UInt8]])
    func strayMarkers(piece: Int, marker: [UInt8]) throws {
        let picture = try Fixture.bytes("pictures/baseline_420.jpg")
        let data = try #require(picture.firstRange(of: [0xFF, 0xDA])).upperBound + 60
        var bad = picture
        bad.replaceSubrange(data..<data + 4, with: marker)
        let found = try frames(picture + bad + picture + picture + picture, Self.layout, piece: piece).frames
        #expect(found.count == 5 && found.filter { $0 == picture }.count == 4 && found[0] == picture && found[2...].allSatisfy { $0 == picture })
    }

    /// The length of a header's segment is wrong, longer than many pictures together; the last one even reaches beyond the end.
    @Test(arguments: [1, 700, 1 << 20]) func wrongLengths(piece: Int) throws {
        let picture = try Fixture.bytes("pictures/baseline_420.jpg")
        for length in [[0xFF, 0xFF], [0x30, 0x01], [0x08, 0x77]] as [[UInt8]] {
            for marker in [0xE0, 0xDB, 0xC0, 0xC4, 0xDA] as [UInt8] {
                var bad = picture
                let start = try #require(bad.firstRange(of: [0xFF, marker])).upperBound
                bad.replaceSubrange(start..<start + 2, with: length)
                let found = try frames(picture + bad + picture + picture, Self.layout, piece: piece).frames
                #expect(found.filter { $0 == picture }.count == 3, "\(marker) \(length)")
            }
        }
    }

    /// One picture of ten is damaged at any place and in any way: all others arrive, byte for byte.
    @Test func damageCostsOnePicture() throws {
        let pictures = try ["baseline_420.jpg", "progressive.jpg", "restart.jpg", "orientation_6.jpg", "synth_420x300.jpg"].map {
            try Fixture.bytes("pictures/" + $0)
        }
        var generator = SplitMix(seed: 11)
        func random(_ bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }
        for round in 0..<400 {
            var series = (0..<10).map { pictures[($0 + round) % pictures.count] }
            let victim = random(9)
            let before = series
            for _ in 0...random(3) {
                let place = 2 + random(series[victim].count - 4)
                switch random(4) {
                case 0: series[victim][place] = UInt8(truncatingIfNeeded: generator.next())
                case 1:
                    series[victim].insert(
                        contentsOf: [0xFF, UInt8(truncatingIfNeeded: generator.next()), UInt8(truncatingIfNeeded: generator.next())], at: place)
                case 2: series[victim].removeSubrange(place..<min(place + 1 + random(300), series[victim].count))
                default: series[victim][place] = 0xFF
                }
            }
            let found = try frames(Array(series.joined()), Self.layout, piece: 1 << 16).frames
            for index in 0..<10 where index != victim { #expect(found.contains(before[index]), "round \(round): picture \(index) beside \(victim)") }
            // The damaged picture may have become two, or none.
            #expect((9...12).contains(found.count), "round \(round): \(found.count)")
        }
    }

    /// Thousands of invalid pictures, each in a segment that extends over all that follow.
    @Test(.timeLimit(.minutes(1))) func picturesWithinPictures() throws {
        let whole = try Fixture.bytes("pictures/one_pixel.jpg")
        let claim: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE1, 0xFF, 0xFF]
        let found = try frames(
            Array([[UInt8]](repeating: claim, count: 300_000).joined()) + [UInt8](repeating: 0, count: 1 << 17) + whole, Self.layout, piece: 1 << 16
        ).frames
        #expect(found == [whole])
    }

    /// Any bytes give pictures or none, no crash, and the same pictures if the stream is cut into other pieces.
    @Test func randomChanges() throws {
        let stream = Array(try pictures().prefix(4).joined())
        var generator = SplitMix(seed: 5)
        for _ in 0..<60 {
            var bytes = stream
            for _ in 0..<20 {
                bytes[Int(generator.next() % UInt64(bytes.count))] =
                    [0xFF, 0xD8, 0xD9, 0xDA, 0x00, UInt8(truncatingIfNeeded: generator.next())][Int(generator.next() % 6)]
            }
            let large = try? frames(bytes, Self.layout, piece: 1 << 16)
            let small = try? frames(bytes, Self.layout, piece: 61)
            #expect(large?.frames == small?.frames && large?.dropped == small?.dropped)
        }
    }
}
