import CSystem
import Kernels
import Runtime
import System

/// Compares everything. - Returns: the number of failed comparisons.
func compareAll() throws(Fault) -> Int {
    var failed = 0
    for kernels in KernelSet.all.dropFirst() {
        guard kernels.isSupported else {
            try printLine("\(kernels.name): not on this processor")
            continue
        }
        var comparison = Comparison(of: kernels)
        comparison.gemms()
        comparison.depthwiseConvolutions()
        comparison.attentions()
        comparison.samplings()
        comparison.peak()
        try printLine("\(kernels.name): \(comparison.passed) passed, \(comparison.failed) failed")
        failed += comparison.failed
    }
    return failed
}

do throws(Fault) {
    exit(try compareAll() == 0 ? 0 : 1)
} catch {
    Log.write(error.message)
    exit(1)
}
