import Board
import CBoard
import Kernels

/// Compares everything; how many comparisons failed.
func compareAll() -> Int {
    var failed = 0
    for table in KernelTable.all.dropFirst() {
        guard table.isSupported else {
            answer("\(table.name): not on this processor")
            continue
        }
        var comparison = Comparison(of: table)
        comparison.products()
        comparison.depthwiseConvolutions()
        comparison.attentions()
        comparison.samplings()
        comparison.peak()
        answer("\(table.name): \(comparison.passed) passed, \(comparison.failed) failed")
        failed += comparison.failed
    }
    return failed
}

exit(compareAll() == 0 ? 0 : 1)
