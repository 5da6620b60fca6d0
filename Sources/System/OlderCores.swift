/// Cores of ARMv8.0, which lack int8 dot products.
private let olderCores: [ProcessorInfo.Core] = [
    // Arm's Cortex-A34, A53, A35, A57, A72, A73.
    .init(implementer: 0x41, part: 0xD02), .init(implementer: 0x41, part: 0xD03), .init(implementer: 0x41, part: 0xD04),
    .init(implementer: 0x41, part: 0xD07), .init(implementer: 0x41, part: 0xD08), .init(implementer: 0x41, part: 0xD09),
    // Samsung's M1 and M3; Qualcomm's Kryo, and its versions of A73 and A53.
    .init(implementer: 0x53, part: 0x001), .init(implementer: 0x53, part: 0x002), .init(implementer: 0x51, part: 0x201),
    .init(implementer: 0x51, part: 0x205), .init(implementer: 0x51, part: 0x211), .init(implementer: 0x51, part: 0x800),
    .init(implementer: 0x51, part: 0x801),
]

/// Whether one of this machine's cores is too old for int8 dot products, whatever the others can do.
///
/// Linux reports in AT_HWCAP the features that all cores have. Kernels of some vendors report those of the first core (the Exynos 9810's:
/// see `__init_cpu_features` of LLVM's compiler-rt); then a thread that moves to another core would be killed. False where the list
/// of cores cannot be read.
/// - Parameter list: Linux' `/proc/cpuinfo`.
public func hasOlderCore(list: String = "/proc/cpuinfo") -> Bool {
    ProcessorInfo(list: list).cores.contains { olderCores.contains($0) }
}
