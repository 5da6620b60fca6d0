import CSystem
import Kernels

/// Cuts a stream of concatenated JPEG pictures into pictures. What stands between them (the headers of a multipart stream, rubbish) is
/// skipped; a picture that ends early, where the next one starts, is handed over as far as it goes.
///
/// A damaged picture costs itself alone. Every picture begins with FF D8 FF, which occurs elsewhere only in a thumbnail among the headers:
/// in compressed data and in other segments it is the next picture. A segment that may hold a thumbnail is believed when a marker follows;
/// if none does, its length was wrong, and the pictures that it ran over are looked for among the bytes it took.
struct JPEGSplitter {
    /// A picture with more bytes than this is no picture.
    static let largest = 32 << 20
    /// Pictures in a row that are none, after which nothing is looked for once more: such a stream is made to waste time.
    private static let mostRetries = 64

    enum Outcome {
        /// All bytes are used; more are needed.
        case more
        /// `frame` holds a picture, which may have been cut short.
        case picture
    }

    private enum State {
        /// Between pictures: before the FF, the D8, and the next FF of a start.
        case outside, start, startEnd
        /// Among the segments: before a marker's FF, before its code, before the bytes of a length, within a segment.
        case segments, code, lengthHigh
        case lengthLow(Int)
        case segment(Int)
        /// Within compressed data, and after an FF there.
        case data, dataCode
        /// After FF D8 where no picture should start; another FF makes it one.
        case suspect
    }

    private var state = State.outside
    private var isScan = false
    /// Whether compressed data have begun.
    private var hasData = false
    /// The start marker of the picture after one that was cut short has been read.
    private var startsAnew = false
    /// Where the current segment's marker lies in the frame, whether a thumbnail may be in it, and how much of FF D8 came last.
    private var segmentStart = 0, mayHoldPicture = false, matched = 0
    /// Bytes that are read once more, before any others, how many of them have been, and those that `read` puts in front of the rest.
    private var again: [UInt8] = [], againUsed = 0, recovered: [UInt8] = []
    private var retries = 0
    /// Pictures that were dropped: without data, or too large.
    private(set) var droppedCount = 0

    /// Reads `chunk` and appends the current picture's bytes to `frame`, up to its end. - Returns: how many bytes were used.
    mutating func feed(_ chunk: UnsafeBufferPointer<UInt8>, into frame: FrameBuffer) -> (used: Int, outcome: Outcome) {
        var used = 0
        while true {
            if readAgain(into: frame) { return (used, .picture) }
            let (count, isPicture) = read(UnsafeBufferPointer(rebasing: chunk[used...]), into: frame)
            used += count
            takeRecovered()
            if isPicture { return (used, .picture) }
            if used == chunk.count, again.isEmpty { return (used, .more) }
        }
    }

    /// At the stream's end, until it returns false. - Returns: whether `frame` holds a picture, perhaps one that was cut short.
    mutating func finish(_ frame: FrameBuffer) -> Bool {
        while true {
            if readAgain(into: frame) { return true }
            switch state {
            case .outside, .start, .startEnd: return false
            default: break
            }
            if hasLost(frame) {
                takeRecovered()
                continue
            }
            state = .outside
            if hasData { return true }
            droppedCount += 1
        }
    }

    /// - Returns: whether `frame` holds a picture.
    private mutating func readAgain(into frame: FrameBuffer) -> Bool {
        while !again.isEmpty {
            let bytes = again
            let start = againUsed
            let (count, isPicture) = bytes.withUnsafeBufferPointer { read(UnsafeBufferPointer(rebasing: $0[start...]), into: frame) }
            againUsed += count
            takeRecovered()
            if isPicture { return true }
        }
        return false
    }

    private mutating func takeRecovered() {
        if !recovered.isEmpty {
            (again, againUsed, recovered) = (recovered + again[againUsed...], 0, [])
        } else if againUsed == again.count {
            (again, againUsed) = ([], 0)
        }
    }

    /// Reads until a picture ends, or bytes are to be read again. - Returns: how many bytes were used.
    private mutating func read(_ chunk: UnsafeBufferPointer<UInt8>, into frame: FrameBuffer) -> (used: Int, isPicture: Bool) {
        if startsAnew { begin(frame) }
        var position = 0
        while position < chunk.count {
            let byte = chunk[position]
            position += 1
            switch state {
            case .outside:
                if byte == 0xFF { state = .start }
                continue
            case .start:
                state = byte == 0xD8 ? .startEnd : byte == 0xFF ? .start : .outside
                continue
            case .startEnd:
                state = .outside
                position -= 1
                if byte == 0xFF { begin(frame) }
                continue
            case .segments:
                if byte == 0xFF { state = .code } else if hasLost(frame) { return (position - 1, false) }
            case .code where !hasData && !isMarker(byte) && hasLost(frame):
                return (position - 1, false)
            case .code, .dataCode:
                let isData = if case .dataCode = state { true } else { false }
                segmentStart = frame.count - 1
                follow(byte, isData: isData)
            case .suspect:
                position -= 1
                guard byte == 0xFF else {
                    state = isScan ? .data : .segments
                    continue
                }
                if startNext(frame) { return (position, true) }
                continue
            case .lengthHigh: state = .lengthLow(Int(byte) << 8)
            case .lengthLow(let high):
                let rest = high + Int(byte) - 2
                if rest > 0 { state = .segment(rest) } else { endSegment() }
            case .segment(let rest) where mayHoldPicture:
                // The current byte and as many more as there are.
                let count = min(rest - 1, chunk.count - position)
                append(chunk, position - 1, count + 1, frame)
                position += count
                if rest > count + 1 { state = .segment(rest - count - 1) } else { endSegment() }
                if isTooLarge(frame) { drop(frame) }
                continue
            case .segment(let rest):
                if matched == 2, byte == 0xFF {
                    position -= 1
                    if startNext(frame) { return (position, true) }
                    continue
                }
                matched = byte == 0xFF ? 1 : byte == 0xD8 && matched == 1 ? 2 : 0
                if rest > 1 { state = .segment(rest - 1) } else { endSegment() }
            case .data:
                var end = position - 1
                while end < chunk.count, chunk[end] != 0xFF { end += 1 }
                if end < chunk.count { state = .dataCode }
                let last = min(end + 1, chunk.count)
                append(chunk, position - 1, last - position + 1, frame)
                position = last
                if isTooLarge(frame) { drop(frame) }
                continue
            }
            append(chunk, position - 1, 1, frame)
            guard case .outside = state else { continue }
            if hasData {
                retries = 0
                return (position, true)
            }
            drop(frame)
        }
        return (position, false)
    }

    private mutating func begin(_ frame: FrameBuffer) {
        frame.reserve(1 << 16)
        frame.bytes[0] = 0xFF
        frame.bytes[1] = 0xD8
        frame.count = 2
        startsAnew = false
        hasData = false
        isScan = false
        segmentStart = 0
        mayHoldPicture = false
        state = .segments
    }

    /// The frame ends in the FF D8 of the next picture. - Returns: whether what comes before is a picture; if not, the next one begins in its place.
    private mutating func startNext(_ frame: FrameBuffer) -> Bool {
        frame.count -= 2
        guard hasData else {
            droppedCount += 1
            begin(frame)
            return false
        }
        retries = 0
        startsAnew = true
        return true
    }

    /// Whether a marker's code is one that may follow on a segment.
    private func isMarker(_ code: UInt8) -> Bool {
        switch code {
        case 0xC0...0xCF, 0xD8...0xFF: true
        default: false
        }
    }

    /// After the code of a marker; `outside` after the end of the picture.
    private mutating func follow(_ code: UInt8, isData: Bool) {
        switch code {
        case 0xFF: break  // filler
        case 0xD8:
            if !isData { isScan = false }
            state = .suspect
        case 0xD9: state = .outside
        case 0xC4, 0xCC, 0xDA...0xDD, 0xE0...0xEF, 0xFE: beginSegment(code)
        // Between scans no others have a length.
        case 0xC0...0xCF where !isData, 0xDE...0xFD where !isData: beginSegment(code)
        default: state = isData ? .data : .segments
        }
    }

    private mutating func beginSegment(_ code: UInt8) {
        isScan = code == 0xDA
        mayHoldPicture = !hasData && (0xE0...0xEF ~= code || code == 0xFE)
        matched = 0
        state = .lengthHigh
    }

    private mutating func endSegment() {
        if isScan { hasData = true }
        state = isScan ? .data : .segments
    }

    /// Where no marker follows on a segment: whether pictures were taken for a part of it. Then the frame is dropped, and its bytes from the first
    /// of them on are to be read again.
    private mutating func hasLost(_ frame: FrameBuffer) -> Bool {
        guard !hasData, mayHoldPicture, retries < Self.mostRetries, frame.count > segmentStart + 4 else { return false }
        for start in (segmentStart + 2)..<(frame.count - 2)
        where frame.bytes[start] == 0xFF && frame.bytes[start + 1] == 0xD8 && frame.bytes[start + 2] == 0xFF {
            retries += 1
            recovered = Array(UnsafeBufferPointer(start: frame.bytes + start, count: frame.count - start))
            drop(frame)
            return true
        }
        mayHoldPicture = false
        return false
    }

    private func isTooLarge(_ frame: FrameBuffer) -> Bool { frame.count > Self.largest }

    private mutating func drop(_ frame: FrameBuffer) {
        droppedCount += 1
        frame.count = 0
        state = .outside
    }

    private func append(_ chunk: UnsafeBufferPointer<UInt8>, _ start: Int, _ count: Int, _ frame: FrameBuffer) {
        // Doubled, so that growing costs little and ends soon.
        if frame.count + count > frame.capacity { frame.reserve((frame.count + count) * 2) }
        (frame.bytes + frame.count).update(from: chunk.baseAddress! + start, count: count)
        frame.count += count
    }
}
