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
/// Linux tells in AT_HWCAP what all cores have in common. Kernels of some vendors tell what the first core has (the Exynos 9810's:
/// see `__init_cpu_features` of LLVM's compiler-rt); then a thread that moves to another core would be killed. False where the list
/// of cores cannot be read.
/// - Parameter list: Linux' `/proc/cpuinfo`.
public func hasOlderCore(list: String = "/proc/cpuinfo") -> Bool {
    guard let stream = fopen(list, "rb") else { return false }
    defer { fclose(stream) }
    var line: [UInt8] = []
    var implementer = 0
    while case let byte = getc(stream), byte != EOF {
        guard byte == 0x0A else {
            line.append(UInt8(truncatingIfNeeded: byte))
            continue
        }
        if let number = hexadecimal(line, after: "CPU implementer") { implementer = number }
        if let part = hexadecimal(line, after: "CPU part"), olderCores.contains(where: { $0.implementer == implementer && $0.part == part }) { return true }
        line.removeAll(keepingCapacity: true)
    }
    return false
}

/// The number of a line `key : 0x41`; nil when it is another line.
private func hexadecimal(_ line: [UInt8], after key: StaticString) -> Int? {
    let count = key.utf8CodeUnitCount
    guard line.count > count, (0..<count).allSatisfy({ line[$0] == key.utf8Start[$0] }), let mark = line.firstIndex(of: 0x78) else { return nil }
    var value = 0
    for digit in line[(mark + 1)...] {
        switch digit {
        case 0x30...0x39: value = value << 4 | Int(digit - 0x30)
        case 0x61...0x66: value = value << 4 | Int(digit - 0x57)
        default: return nil
        }
        guard value < 1 << 32 else { return nil }
    }
    return value
}
