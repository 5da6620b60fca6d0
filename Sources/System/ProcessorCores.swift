/// What Linux reports of one of this machine's processors (`/sys/devices/system/cpu`, `/proc/cpuinfo`).
public struct ProcessorCore: Equatable {
    /// Bytes of the data cache of the first level; nil if it is not reported, as by many ARM kernels.
    public var firstLevel: Int?
    /// Bytes of the cache of the second level, or the core's part if several share it; nil likewise.
    public var secondLevel: Int?
    /// Whether it is an ARM core that issues instructions in the program's order.
    public var issuesInOrder = false

    public init(firstLevel: Int? = nil, secondLevel: Int? = nil, issuesInOrder: Bool = false) {
        (self.firstLevel, self.secondLevel, self.issuesInOrder) = (firstLevel, secondLevel, issuesInOrder)
    }
}

/// Arm's Cortex-A34, A53, A35, A55, A510, A520; Qualcomm's Kryo versions of A53 and A55.
private let inOrderCores: [ProcessorInfo.Core] = [
    .init(implementer: 0x41, part: 0xD02), .init(implementer: 0x41, part: 0xD03), .init(implementer: 0x41, part: 0xD04),
    .init(implementer: 0x41, part: 0xD05), .init(implementer: 0x41, part: 0xD46), .init(implementer: 0x41, part: 0xD80),
    .init(implementer: 0x51, part: 0x801), .init(implementer: 0x51, part: 0x803), .init(implementer: 0x51, part: 0x805),
]

/// The processors of this machine by their numbers; one of which nothing is known if there is no report.
///
/// - Parameter root: in front of `/proc` and `/sys`, for tests.
public func processorCores(root: String = "") -> [ProcessorCore] {
    let kinds = ProcessorInfo(list: root + "/proc/cpuinfo").processors
    var cores: [ProcessorCore] = []
    // Processors that are switched off have no caches there: more numbers may follow a gap.
    for number in 0..<256 {
        var core = ProcessorCore()
        let hasCaches = readCaches(of: "\(root)/sys/devices/system/cpu/cpu\(number)/cache/index", into: &core)
        let kind = number < kinds.count ? kinds[number] : nil
        if let kind { core.issuesInOrder = inOrderCores.contains(kind) }
        guard hasCaches || kind != nil else { continue }
        while cores.count < number { cores.append(cores.last ?? core) }
        cores.append(core)
    }
    return cores.isEmpty ? [ProcessorCore()] : cores
}

/// - Returns: false if there is no report.
private func readCaches(of folder: String, into core: inout ProcessorCore) -> Bool {
    for index in 0..<8 {
        guard let level = firstWord(in: "\(folder)\(index)/level") else { return index > 0 }
        guard let type = firstWord(in: "\(folder)\(index)/type"), type != "Instruction",
            let size = firstWord(in: "\(folder)\(index)/size").flatMap(bytes)
        else { continue }
        // Two threads of one core may each need all of its first level: they work on the same weights.
        if level == "1" { core.firstLevel = size }
        if level == "2" { core.secondLevel = size / max(firstWord(in: "\(folder)\(index)/shared_cpu_list").map(countOfList) ?? 1, 1) }
    }
    return true
}

/// `32K`, `1M` or a number.
private func bytes(_ text: String) -> Int? {
    let digits = text.utf8.prefix { (0x30...0x39).contains($0) }
    guard let number = Int(String(decoding: digits, as: UTF8.self)), number > 0, number < 1 << 30 else { return nil }
    switch text.utf8.dropFirst(digits.count).first {
    case nil: return number
    case UInt8(ascii: "K"): return number << 10
    case UInt8(ascii: "M"): return number << 20
    default: return nil
    }
}

/// The number of processors in a list such as `0-3,6`.
private func countOfList(_ list: String) -> Int {
    var count = 0
    for range in list.utf8.split(separator: UInt8(ascii: ",")) {
        let ends = range.split(separator: UInt8(ascii: "-")).compactMap { Int(String(decoding: $0, as: UTF8.self)) }
        guard let first = ends.first, let last = ends.last, last >= first, last < 1 << 20 else { continue }
        count += last - first + 1
    }
    return count
}

/// The first line of a file up to a blank; nil if there is none.
private func firstWord(in path: String) -> String? {
    var word: String?
    forEachLine(of: path) { line in
        word = String(decoding: line.prefix { $0 != 0x20 && $0 != 0x09 }, as: UTF8.self)
        return false
    }
    return word?.isEmpty == true ? nil : word
}
