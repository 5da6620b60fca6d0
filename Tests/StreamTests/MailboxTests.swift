import Capture
import Foundation
import System
import TestSupport
import Testing

@Suite struct MailboxTests {
    private func publish(_ mailbox: FrameMailbox, _ value: UInt8) -> Bool {
        mailbox.buffer.reserve(4)
        mailbox.buffer.bytes.update(repeating: value, count: 4)
        mailbox.buffer.count = 4
        return mailbox.publish()
    }

    @Test func freshestWins() throws {
        let mailbox = FrameMailbox()
        for value: UInt8 in 1...5 { #expect(publish(mailbox, value)) }
        let first = try #require(mailbox.take())
        #expect(first.number == 5 && first.content == [5, 5, 5, 5])
        // While one frame is read, others arrive and are replaced.
        for value: UInt8 in 6...9 { #expect(publish(mailbox, value)) }
        #expect(first.content == [5, 5, 5, 5])
        #expect(mailbox.take()?.content == [9, 9, 9, 9])
        #expect(mailbox.counts == (9, 7))
    }

    @Test func endLetsTheLastBeTaken() {
        let mailbox = FrameMailbox()
        #expect(publish(mailbox, 1))
        mailbox.end()
        #expect(!publish(mailbox, 2))
        #expect(mailbox.take()?.number == 1)
        #expect(mailbox.take() == nil && mailbox.take() == nil)
        #expect(mailbox.counts == (1, 0))
        let other = FrameMailbox()
        #expect(publish(other, 1))
        other.end(dropping: true)
        #expect(other.take() == nil)
        #expect(other.counts == (1, 1))
    }

    /// Whole frames in order, none counted twice, on two threads; with and without dropping.
    @Test(arguments: [false, true]) func twoThreads(keepsAll: Bool) throws {
        let mailbox = FrameMailbox(keepsAll: keepsAll)
        let total = 20_000
        let producer = try System.Thread {
            for number in 1...total {
                let frame = mailbox.buffer
                frame.reserve(512)
                frame.count = 512
                frame.bytes.update(repeating: UInt8(truncatingIfNeeded: number), count: 512)
                guard mailbox.publish() else { break }
            }
            mailbox.end()
        }
        var taken = 0
        var last = 0
        var torn = 0
        while let frame = mailbox.take() {
            #expect(frame.number > last)
            last = frame.number
            taken += 1
            if frame.content.contains(where: { $0 != UInt8(truncatingIfNeeded: frame.number) }) { torn += 1 }
        }
        producer.join()
        #expect(torn == 0 && last == total)
        #expect(mailbox.counts.captured == total && mailbox.counts.stale == total - taken)
        if keepsAll { #expect(taken == total) }
    }

    /// Only a frame captured after the trigger is handed over, one for each.
    @Test func triggerAsksForAFreshFrame() throws {
        let mailbox = FrameMailbox(isTriggered: true)
        let taken = Log<Int>()
        let taker = try System.Thread {
            while let frame = mailbox.take() { taken.add(frame.number) }
            taken.add(-1)
        }
        for value: UInt8 in 1...3 { #expect(publish(mailbox, value)) }
        usleep(20_000)
        #expect(taken.entries.isEmpty)
        mailbox.trigger()
        mailbox.trigger()
        usleep(20_000)
        #expect(taken.entries.isEmpty)
        #expect(publish(mailbox, 4))
        #expect(eventually { taken.entries == [4] })
        #expect(publish(mailbox, 5))
        mailbox.trigger()
        mailbox.buffer.count = 0
        #expect(mailbox.publish(captured: 1))
        usleep(20_000)
        #expect(taken.entries == [4])
        #expect(publish(mailbox, 7))
        #expect(eventually { taken.entries == [4, 7] })
        #expect(publish(mailbox, 8))
        mailbox.end()
        taker.join()
        #expect(taken.entries == [4, 7, -1])
    }

    @Test func endWakesBothSides() throws {
        let empty = FrameMailbox()
        let full = FrameMailbox(keepsAll: true)
        let taker = try System.Thread { #expect(empty.take() == nil) }
        #expect(publish(full, 1))
        let giver = try System.Thread {
            full.buffer.count = 0
            #expect(!full.publish())
        }
        usleep(20_000)
        empty.end()
        full.end(dropping: true)
        taker.join()
        giver.join()
    }

    /// A loss is delivered once, after the frames before it; the next frame cancels it.
    @Test func lossesOfTheSource() throws {
        let mailbox = FrameMailbox()
        let kinds = Log<String>()
        @Sendable func next() -> String {
            switch mailbox.next() {
            case .frame(let frame, let isAsked): "\(frame.number) \(isAsked)"
            case .lost: "lost"
            case .end: "end"
            }
        }
        #expect(publish(mailbox, 1))
        mailbox.lose()
        #expect(next() == "1 true" && next() == "lost")
        mailbox.lose()
        #expect(publish(mailbox, 2) && next() == "2 true")
        let thread = try System.Thread { kinds.add(next()) }
        usleep(20_000)
        #expect(kinds.entries.isEmpty)
        mailbox.lose()
        thread.join()
        #expect(kinds.entries == ["lost"])
        mailbox.lose()
        mailbox.end()
        #expect(next() == "lost" && next() == "end" && next() == "end")
    }

    /// A frame can be taken before a trigger; the trigger still delivers another one.
    @Test func unaskedFrames() throws {
        let mailbox = FrameMailbox(isTriggered: true)
        func next(_ unasked: Bool) -> String? {
            if case .frame(let frame, let isAsked) = mailbox.next(unasked: unasked) { "\(frame.number) \(isAsked)" } else { nil }
        }
        #expect(publish(mailbox, 1) && next(true) == "1 false")
        #expect(publish(mailbox, 2))
        usleep(2000)
        mailbox.trigger()
        // Captured before the request.
        #expect(next(true) == "2 false")
        #expect(publish(mailbox, 3) && next(true) == "3 true")
        mailbox.trigger()
        usleep(2000)
        #expect(publish(mailbox, 4) && next(false) == "4 true")
        mailbox.end()
        #expect(next(true) == nil)
    }
}
