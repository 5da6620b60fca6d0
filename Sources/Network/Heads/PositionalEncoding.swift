import Kernels

/// Sine positional encoding of one axis (fcclip's PositionEmbeddingSine with normalisation, temperature 10000).
///
/// Row `i` of `into` (length x channels) holds, for the angle p = (i + 1) / (length + 1e-6) * 2 pi and frequency
/// f_c = 10000^(2 floor(c / 2) / channels), sin(p / f_c) at even c and cos(p / f_c) at odd c.
func sinePositionalEncoding(into encoding: Matrix) {
    let length = Float(encoding.rows) + 1e-6
    for row in 0..<encoding.rows {
        let angle = Float(row + 1) / length * 6.283185307179586
        for channel in 0..<encoding.columns {
            let exponent = Double(2 * (channel / 2)) / Double(encoding.columns)
            let frequency = Float(power10000(exponent))
            let phase = Double(angle / frequency)
            encoding[row, channel] = Float(channel % 2 == 0 ? sine(phase) : cosine(phase))
        }
    }
}

/// 10000^x for x in 0...1, by repeated square roots, which round correctly on every machine.
private func power10000(_ x: Double) -> Double {
    var result = 1.0
    var root = 10000.0
    var rest = x
    for _ in 0..<52 {
        root = root.squareRoot()
        rest *= 2
        if rest >= 1 {
            result *= root
            rest -= 1
        }
    }
    return result
}

/// The positional encoding of a map: the sum of an encoding of its lines and one of its columns.
struct PositionalEncoding {
    /// Height x channels.
    let vertical: Matrix
    /// Width x channels.
    let horizontal: Matrix

    /// Encodings padded to all channels: y in the first half of the channels, x in the second, zeros in the other half.
    init<A: Arithmetic>(size: Size, channels: Int, arithmetic: A) {
        let half = channels / 2
        func padded(_ length: Int, at start: Int) -> Matrix {
            let encoding = arithmetic.matrix(rows: length, columns: half)
            let full = arithmetic.matrix(rows: length, columns: channels)
            arithmetic.compute {
                sinePositionalEncoding(into: encoding)
                full.base.update(repeating: 0, count: full.count)
                for row in 0..<length { (full.row(row) + start).update(from: encoding.row(row), count: half) }
            }
            return full
        }
        vertical = padded(size.height, at: 0)
        horizontal = padded(size.width, at: half)
    }

    /// Adds `embedding`, one value for each channel, to the encoding of every pixel.
    func add<A: Arithmetic>(_ embedding: UnsafePointer<Float>, _ arithmetic: A) {
        arithmetic.compute {
            for row in 0..<vertical.rows {
                for channel in 0..<vertical.columns { vertical[row, channel] += embedding[channel] }
            }
        }
    }

    /// `W pos` as a position table for a layer with `columns` results, in scratch memory.
    func projected<A: Arithmetic>(by layer: A.Linear, columns: Int, _ arithmetic: A) -> PositionTable {
        let rows = arithmetic.matrix(rows: vertical.rows, columns: columns)
        let across = arithmetic.matrix(rows: horizontal.rows, columns: columns)
        arithmetic.table(vertical, layer, into: rows)
        arithmetic.table(horizontal, layer, into: across)
        return PositionTable(vertical: rows, horizontal: across)
    }
}
