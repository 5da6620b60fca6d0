import CSystem
import Kernels
import System

extension Caches {
    /// Those of this machine; the smallest in use where Linux does not report them.
    init(_ found: DataCaches) {
        self.init(firstLevel: found.firstLevel ?? Caches.smallest.firstLevel, secondLevel: found.secondLevel ?? Caches.smallest.secondLevel)
    }
}

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

    /// The same with this machine's caches.
    public var fitted: KernelSet {
        var set = self
        set.caches = Caches(DataCaches())
        return set
    }

    #if arch(arm64)
    private static let hasDotProduct = system_has_dotprod() && !hasOlderCore()
    #endif
}
