import CSystem
import System

/// A folder of pictures named by the time they were captured and the frame's number in its stream, of which only the newest are kept.
public final class PictureSeries {
    public let folder: String
    private let limit: Int?
    /// Names of the files, oldest first; empty where there is no limit.
    private var names: [[UInt8]] = []

    /// - Parameter keep: how many files stay, those of earlier runs included; nil for all.
    /// - Throws: when `folder` is none and cannot be made.
    public init(folder: String, keep: Int?) throws(Fault) {
        self.folder = folder
        limit = keep
        try makeFolder(folder)
        guard keep != nil else { return }
        guard let stream = opendir(folder) else { throw Fault("\(folder): cannot be read: \(systemError())") }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = Array(String(cString: system_entry_name(entry)).utf8)
            if PictureSeries.isOurs(name) { names.append(name) }
        }
        names.sort { $0.lexicographicallyPrecedes($1) }
    }

    /// The path of frame `number`, captured then (milliseconds since 1970), as in `20261121T103855.123Z-000042.png`. The number tells frames
    /// of one millisecond apart.
    public func path(capturedAt milliseconds: Double, number: Int) -> String {
        folder + "/" + String(decoding: PictureSeries.name(milliseconds, number), as: UTF8.self)
    }

    /// After the file has been written: removes what is too old.
    public func written(capturedAt milliseconds: Double, number: Int) {
        guard let limit else { return }
        let name = PictureSeries.name(milliseconds, number)
        if names.last != name { names.append(name) }
        while names.count > limit { unlink(folder + "/" + String(decoding: names.removeFirst(), as: UTF8.self)) }
    }

    private static let time = Array("00000000T000000.000Z".utf8), ending = Array(".png".utf8)
    /// Digits of a frame's number, at least.
    private static let numberDigits = 6

    /// Whether a name has the form of ours, with or without a number: other files are left alone.
    private static func isOurs(_ name: [UInt8]) -> Bool {
        guard name.count >= time.count + ending.count, name.suffix(ending.count).elementsEqual(ending) else { return false }
        for (byte, expected) in zip(name, time) {
            guard expected == 0x30 ? isDigit(byte) : byte == expected else { return false }
        }
        let number = name[time.count..<name.count - ending.count]
        return number.isEmpty || (number.first == 0x2D && number.count > numberDigits && number.dropFirst().allSatisfy(isDigit))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func name(_ milliseconds: Double, _ number: Int) -> [UInt8] {
        let whole = Int(milliseconds)
        var seconds = time_t(whole / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let text = Array("\(number)".utf8)
        var name = time + [0x2D] + [UInt8](repeating: 0x30, count: max(numberDigits - text.count, 0)) + text + ending
        func put(_ value: Int, at position: Int, digits: Int) {
            var value = value
            for offset in (0..<digits).reversed() {
                name[position + offset] = 0x30 + UInt8(value % 10)
                value /= 10
            }
        }
        put(Int(parts.tm_year) + 1900, at: 0, digits: 4)
        put(Int(parts.tm_mon) + 1, at: 4, digits: 2)
        put(Int(parts.tm_mday), at: 6, digits: 2)
        put(Int(parts.tm_hour), at: 9, digits: 2)
        put(Int(parts.tm_min), at: 11, digits: 2)
        put(Int(parts.tm_sec), at: 13, digits: 2)
        put(whole % 1000, at: 16, digits: 3)
        return name
    }
}
