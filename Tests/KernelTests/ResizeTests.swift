import Kernels
import Testing

@Suite struct ResizeTests {
    static let cases: [(Size, Size)] = [
        (Size(height: 1, width: 1), Size(height: 3, width: 4)), (Size(height: 4, width: 6), Size(height: 8, width: 12)),
        (Size(height: 16, width: 16), Size(height: 2, width: 4)), (Size(height: 5, width: 7), Size(height: 13, width: 3)),
        (Size(height: 9, width: 9), Size(height: 9, width: 9)), (Size(height: 25, width: 34), Size(height: 100, width: 136)),
    ]

    @Test(arguments: cases) func bilinear(_ from: Size, _ to: Size) {
        for channels in [1, 3, 16, 19] {
            var random = Generator(channels)
            let x = Map(rows: from.area, columns: channels, random.floats(from.area * channels))
            let y = Map(rows: to.area, columns: channels)
            resizeBilinear(x.matrix, from: from, to: to, into: y.matrix)
            #expect(largestError(y.values, plain(x.values, from, to, channels)) < 5e-6)
            #expect(y.isIntact)
            if channels == 1 {
                let plane = Map(rows: to.area, columns: 1)
                resizeBilinearPlane(x.matrix.base, from: from, to: to, into: plane.matrix.base)
                #expect(plane.values == y.values)
                #expect(plane.isIntact)
            }
        }
    }

    /// Values of torch.nn.functional.interpolate(mode="bilinear", align_corners=False) for 0...5 in two rows of three, to 3 x 5.
    @Test func bilinearByHand() {
        let y = Map(rows: 15, columns: 1)
        resizeBilinearPlane([0, 1, 2, 3, 4, 5], from: Size(height: 2, width: 3), to: Size(height: 3, width: 5), into: y.matrix.base)
        let row: [Double] = [0, 0.4, 1, 1.6, 2]
        #expect(largestError(y.values, row + row.map { $0 + 1.5 } + row.map { $0 + 3 }) < 1e-6)
    }

    private func plain(_ x: [Float], _ from: Size, _ to: Size, _ channels: Int) -> [Double] {
        var y: [Double] = []
        for row in 0..<to.height {
            let r = max((Double(row) + 0.5) * Double(from.height) / Double(to.height) - 0.5, 0)
            let r0 = Int(r)
            let r1 = min(r0 + 1, from.height - 1)
            for column in 0..<to.width {
                let c = max((Double(column) + 0.5) * Double(from.width) / Double(to.width) - 0.5, 0)
                let c0 = Int(c)
                let c1 = min(c0 + 1, from.width - 1)
                for channel in 0..<channels {
                    func value(_ row: Int, _ column: Int) -> Double { Double(x[(row * from.width + column) * channels + channel]) }
                    let v = r - Double(r0)
                    let h = c - Double(c0)
                    y.append((1 - v) * ((1 - h) * value(r0, c0) + h * value(r0, c1)) + v * ((1 - h) * value(r1, c0) + h * value(r1, c1)))
                }
            }
        }
        return y
    }
}
