import CSystem

/// identification register (MIDR_EL1) has them.
private let olderCores: [(implementer: Int, part: Int)] = [
    // Arm's Cortex-A34, A53, A35, A57, A72, A73.
    (0x41, 0xD02), (0x41, 0xD03), (0x41, 0xD04), (0x41, 0xD07), (0x41, 0xD08), (0x41, 0xD09),
    // Samsung's M1 and M3; Qualcomm's Kryo, and its versions of A73 and A53.
    (0x53, 0x001), (0x53, 0x002), (0x51, 0x201), (0x51, 0x205), (0x51, 0x211), (0x51, 0x800), (0x51, 0x801),
]

/// Whether one of this machine's cores is too old for int8 dot products, whatever the others can do.
///
/// Linux reports in AT_HWCAP the features that all cores have. Kernels of some vendors report those of the first core (the Exynos 9810's:
/// see `__init_cpu_features` of LLVM's compiler-rt); then a thread that moves to another core would be killed. False where the list
/// of cores cannot be read.
/// - Parameter list: Linux' `/proc/cpuinfo`.
public func hasOlderCore(list: String = "/proc/cpuinfo") -> Bool {
    var implementer = 0
    var isFound = false
    forEachLine(of: list) { line in
        if let number = hexadecimal(line, after: "CPU implementer") { implementer = number }
        if let part = hexadecimal(line, after: "CPU part") {
            isFound = olderCores.contains { $0.implementer == implementer && $0.part == part }
        }
        return !isFound
    }
    return isFound
}

/// The number of a line `key : 0x41`; nil when it is another line.
private func hexadecimal(_ line: [UInt8], after key: StaticString) -> Int? {
    guard let rest = value(in: line, after: key), let mark = rest.firstIndex(of: 0x78), mark + 1 < rest.endIndex else { return nil }
    let digits = rest[(mark + 1)...]
    guard digits.count <= 8, digits.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) else { return nil }
    return Int(String(decoding: digits, as: UTF8.self), radix: 16)
}
