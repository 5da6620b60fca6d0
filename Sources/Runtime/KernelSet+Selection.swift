import CSystem
import Kernels
import System

extension KernelSet {
    /// Whether all cores of this machine support it.
    public var isSupported: Bool {
        switch requirement {
        case .none: true
        #if arch(x86_64)
        case .avx2: system_has_avx2()
        case .avx512VNNI: system_has_vnni()
        #elseif arch(arm64)
        case .dotProduct: Self.hasDotProduct
        case .matrixProduct: Self.hasDotProduct && system_has_i8mm()
        #endif
        default: false
        }
    }

    /// The best one that this machine supports.
    public static let best: KernelSet = all.last { $0.isSupported }!.fitted

    /// The same for this machine's cores.
    public var fitted: KernelSet {
        var set = self
        set.cores = processorCores().map {
            Core(
                firstLevel: $0.firstLevel ?? Core.small.firstLevel, secondLevel: $0.secondLevel ?? Core.small.secondLevel,
                issuesInOrder: $0.issuesInOrder)
        }
        if set.cores.dropFirst().allSatisfy({ $0 == set.cores[0] }) { set.cores = [set.cores[0]] }
        set.processor = system_current_processor
        return set
    }

    #if arch(arm64)
    private static let hasDotProduct = system_has_dotprod() && !hasOlderCore()
    #endif
}
