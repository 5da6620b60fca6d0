import Kernels
import Runtime
import System
import Testing

/// One test for each kernel set that the other tests of this folder use if this machine supports it: the summary names those that were skipped.
@Suite struct KernelSetTests {
    private static func isSupported(_ name: String) -> Bool {
        KernelSet.named(name)?.isSupported ?? false
    }

    private func expectTested(_ name: String) {
        #expect(testedKernelSets.contains { "\($0.name)" == name })
    }

    #if arch(x86_64)
    @Test(.enabled(if: isSupported("avx2"), "this processor lacks AVX2: its kernels were not tested")) func avx2() { expectTested("avx2") }

    @Test(.enabled(if: isSupported("vnni"), "this processor lacks AVX-512 VNNI: its kernels were not tested")) func vnni() { expectTested("vnni") }
    #elseif arch(arm64)
    @Test func neon() { expectTested("neon") }

    @Test(.enabled(if: isSupported("dotprod"), "this processor lacks dot products: their kernels were not tested")) func dotprod() { expectTested("dotprod") }

    @Test(.enabled(if: isSupported("i8mm"), "this processor lacks matrix products: their kernels were not tested")) func i8mm() { expectTested("i8mm") }
    #endif

    /// The best one comes last, and the first runs everywhere.
    @Test func order() {
        #expect(KernelSet.all[0].name.description == "scalar" && KernelSet.all[0].isSupported)
        #expect("\(KernelSet.best.name)" == "\(testedKernelSets[testedKernelSets.count - 1].name)")
        #expect(KernelSet.named("mmx") == nil)
    }
}
