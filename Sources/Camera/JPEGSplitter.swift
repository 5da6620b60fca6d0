/// Cuts a stream of concatenated JPEG pictures into pictures. What stands between them (the headers of a multipart stream, rubbish) is
/// skipped; a picture that ends early, where the next one starts, is handed over as far as it goes.
struct JPEGSplitter {
    /// A picture with more bytes than this is no picture.
    static let largest = 32 << 20

    enum Outcome {
        /// All bytes are used; more are needed.
        case more
        /// `frame` holds a picture, which may have been cut short.
        case picture
    }

    private enum State {
        /// Between pictures: before the 0xFF, and before the 0xD8, of a start.
        case outside, start
        /// Among the segments: before a 0xFF, before the marker's code, before the bytes of a length, within a segment.
        case segments, code, lengthHigh, lengthLow(Int), segment(Int)
        /// Within compressed data, and after a 0xFF there.
        case data, dataCode
    }

    private var state = State.outside
    private var isScan = false
    /// Whether compressed data have begun.
    private var hasData = false
    /// The start marker of the picture after one that was cut short has been read.
    private var startsAnew = false
    /// Pictures that were dropped: without data, or too large.
    private(set) var droppedCount = 0

    /// Reads `chunk` and appends the current picture's bytes to `frame`, up to its end. - Returns: how many bytes were used.
    mutating func feed(_ chunk: UnsafeBufferPointer<UInt8>, into frame: FrameBuffer) -> (used: Int, outcome: Outcome) {
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
                if byte == 0xD8 { begin(frame) } else if byte != 0xFF { state = .outside }
                continue
            case .segments: if byte == 0xFF { state = .code }
            case .code, .dataCode:
                let isData = if case .dataCode = state { true } else { false }
                if byte == 0xD8 {
                    // The 0xFF before it is the last byte of `frame`.
                    frame.count -= 1
                    startsAnew = true
                    if hasData { return (position, .picture) }
                    droppedCount += 1
                    begin(frame)
                    continue
                }
                follow(byte, isData: isData)
            case .lengthHigh: state = .lengthLow(Int(byte) << 8)
            case .lengthLow(let high):
                let rest = high + Int(byte) - 2
                if rest > 0 { state = .segment(rest) } else { endSegment() }
            case .segment(let rest):
                // The byte at hand and as many more as there are.
                let count = min(rest - 1, chunk.count - position)
                append(chunk, position - 1, count + 1, frame)
                position += count
                if rest > count + 1 { state = .segment(rest - count - 1) } else { endSegment() }
                if isTooLarge(frame) { drop(frame) }
                continue
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
            if hasData { return (position, .picture) }
            drop(frame)
        }
        return (position, .more)
    }

    /// At the stream's end. - Returns: whether `frame` holds a picture that was cut short.
    mutating func finish(_ frame: FrameBuffer) -> Bool {
        if case .outside = state { return false }
        if case .start = state { return false }
        if !hasData || startsAnew { droppedCount += 1 }
        return hasData && !startsAnew
    }

    private mutating func begin(_ frame: FrameBuffer) {
        frame.reserve(1 << 16)
        frame.bytes[0] = 0xFF
        frame.bytes[1] = 0xD8
        frame.count = 2
        startsAnew = false
        hasData = false
        isScan = false
        state = .segments
    }

    /// After the code of a marker; `outside` after the end of the picture.
    private mutating func follow(_ code: UInt8, isData: Bool) {
        switch code {
        case 0xFF: break  // filler
        case 0x00: state = isData ? .data : .segments
        case 0xD9: state = .outside
        case 0x01, 0xD0...0xD7: state = isData ? .data : .segments
        default:
            isScan = code == 0xDA
            state = .lengthHigh
        }
    }

    private mutating func endSegment() {
        if isScan { hasData = true }
        state = isScan ? .data : .segments
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
