import Board
import CBoard
import Kernels

/// Compares everything; how many comparisons failed.
func compareAll() throws(Fault) -> Int {
    var failed = 0
    for table in KernelTable.all.dropFirst() {
        guard table.isSupported else {
            try answer("\(table.name): not on this processor")
            continue
        }
        var comparison = Comparison(of: table)
        comparison.products()
        comparison.depthwiseConvolutions()
        comparison.attentions()
        comparison.samplings()
        comparison.peak()
        try answer("\(table.name): \(comparison.passed) passed, \(comparison.failed) failed")
        failed += comparison.failed
    }
    return failed
}

do throws(Fault) {
    exit(try compareAll() == 0 ? 0 : 1)
} catch {
    say(error.message)
    exit(1)
}
