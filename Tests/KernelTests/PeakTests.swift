import Kernels
import Testing

/// The loops that measure the machine's peak perform the multiply-adds that they count.
@Suite struct PeakTests {
    @Test func sumsHoldEveryProduct() {
        for table in testedKernelSets {
            for rounds in [0, 1, 7, 1000] {
                let operands = [Int8](repeating: 1, count: 256)
                var sums = [Int32](repeating: 0, count: KernelSet.peakSums)
                let count = table.registerPeak(rounds: rounds, operands: operands, into: &sums)
                #expect(count > 0 || rounds == 0)
                #expect(sums.reduce(0) { $0 + Int($1) } == count, "\(table.name), \(rounds) rounds")
            }
        }
    }
}
