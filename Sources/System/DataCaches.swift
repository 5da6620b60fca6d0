/// The smallest data caches among this machine's cores, in bytes, as Linux reports them under `/sys/devices/system/cpu`.
public struct DataCaches: Equatable {
    /// Nil if it is not reported, as on many ARM kernels.
    public private(set) var firstLevel: Int?
    /// One core's part of a cache that several share.
    public private(set) var secondLevel: Int?

    /// - Parameter root: in front of `/sys`, for tests.
    public init(root: String = "") {
        // Cores are numbered without gaps, except those that cannot be plugged in.
        for core in 0..<256 {
            let folder = "\(root)/sys/devices/system/cpu/cpu\(core)/cache/index"
            guard firstWord(in: folder + "0/level") != nil else {
                if core > 0 { break } else { continue }
            }
            for index in 0..<8 {
                guard let level = firstWord(in: "\(folder)\(index)/level") else { break }
                guard let type = firstWord(in: "\(folder)\(index)/type"), type != "Instruction",
                    let size = firstWord(in: "\(folder)\(index)/size").flatMap(DataCaches.bytes)
                else { continue }
                let part = size / max(firstWord(in: "\(folder)\(index)/shared_cpu_list").map(DataCaches.count) ?? 1, 1)
                // Threads of one core share its first level, each of which may need all of it.
                if level == "1" { firstLevel = min(firstLevel ?? size, size) }
                if level == "2" { secondLevel = min(secondLevel ?? part, part) }
            }
        }
    }

    /// `32K`, `1M` or a number.
    private static func bytes(_ text: String) -> Int? {
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
    private static func count(_ list: String) -> Int {
        var count = 0
        for range in list.utf8.split(separator: UInt8(ascii: ",")) {
            let ends = range.split(separator: UInt8(ascii: "-")).compactMap { Int(String(decoding: $0, as: UTF8.self)) }
            guard let first = ends.first, let last = ends.last, last >= first, last < 1 << 20 else { continue }
            count += last - first + 1
        }
        return count
    }
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
