import Kernels
import Testing

/// GELU to int8 by cubics gives the bytes of the exact function, in particular near the arguments where these change.
@Suite struct GELUTableTests {
    /// Compiled for any processor, with as many registers as the kernel sets that use the table.
    private enum Wide: VectorRegisters {
        static var registers: Int { 32 }
    }

    @Test(arguments: [0.03, 5, 37.3, 90, 4000, 1e6, 1e30] as [Float], [-128, 3, 127] as [Int32]) func bytes(_ multiplier: Float, _ zeroPoint: Int32) {
        var random = Generator(Int(zeroPoint))
        var x = random.floats(20_000, in: -8...8) + random.floats(4000, in: -0.01...0.01) + random.floats(1000, in: -500...500)
        for special in [0, 5.4, 5.5437, 6, 1e10, .greatestFiniteMagnitude, .infinity, .leastNonzeroMagnitude] as [Float] {
            x += [special, -special, special.nextUp, special.nextDown, -special.nextUp, -special.nextDown, .nan]
        }
        for step in -129...128 {
            for branch in [(-0.75, 3e38), (-0.75, -6)] as [(Float, Float)] {
                x += neighbours(of: boundary(Float(step) + 0.5, multiplier, zeroPoint, from: branch.0, to: branch.1))
            }
        }
        // The whole value is in the bias; in whole blocks of rows and columns and in parts of them.
        let rows = 5
        let columns = x.count + (19 - x.count % 16) % 16
        let sums = Stored([Int32](repeating: 0, count: rows * columns))
        let ones = Stored([Float](repeating: 1, count: columns))
        let bias = Stored(x + [Float](repeating: 0, count: columns - x.count))
        let multipliers = Stored([Float](repeating: multiplier, count: columns))
        defer { withExtendedLifetime((sums, ones, bias, multipliers)) {} }
        func result(_ perform: (FloatKernel) -> Void) -> [Int8] {
            var bytes = [Int8](repeating: 0, count: rows * columns)
            bytes.withUnsafeMutableBufferPointer {
                perform(
                    .epilogue(
                        Epilogue(
                            values: .sums(sums.base, offset: sums.base, scale: ones.base), valuesStride: columns, rows: 0..<rows, columns: 0..<columns,
                            bias: bias.base, activation: .gelu,
                            output: .int8($0.baseAddress!, stride: columns, multiplier: multipliers.base, zeroPoint: zeroPoint))))
            }
            return bytes
        }
        let expected = result { testedKernelSets[0].perform($0) }
        func check(_ name: String, _ found: [Int8]) {
            let place = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }
            #expect(place == nil, "\(name): \(place.map { "\(x[min($0.offset % columns, x.count - 1)]) became \($0.element.0), not \($0.element.1)" } ?? "")")
        }
        for table in testedKernelSets { check("\(table.name)", result { table.perform($0) }) }
        check("table", result { $0.perform(Wide.self) })
    }

    /// The argument between `from` and `to` at which the value before rounding passes `target`; one end if it does not.
    private func boundary(_ target: Float, _ multiplier: Float, _ zeroPoint: Int32, from: Float, to: Float) -> Float {
        func isBelow(_ x: Float) -> Bool { x * (normalDistribution(x) + 0.5) * multiplier + Float(zeroPoint) < target }
        var low = from
        var high = to
        for _ in 0..<200 {
            let middle = low / 2 + high / 2
            if isBelow(middle) == isBelow(from) { low = middle } else { high = middle }
        }
        return high
    }

    private func neighbours(of x: Float) -> [Float] {
        var up = x
        var down = x
        var result = [x]
        for _ in 0..<24 {
            (up, down) = (up.nextUp, down.nextDown)
            result += [up, down]
        }
        return result
    }
}
