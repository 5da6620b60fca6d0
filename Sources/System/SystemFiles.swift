import CSystem

// The one reader of the kernel's small text files under /proc and /sys, whose sizes are not known before they are read.

/// Calls `body` with each line of a file, without its end, until it returns false.
///
/// - Parameter separator: the byte that ends a line; the last line need not have it.
/// - Returns: false when the file cannot be opened; `systemError()` then has the reason.
@discardableResult
func forEachLine(of path: String, endingIn separator: UInt8 = 0x0A, _ body: ([UInt8]) -> Bool) -> Bool {
    guard let stream = fopen(path, "rb") else { return false }
    defer { fclose(stream) }
    var line: [UInt8] = []
    while case let byte = getc(stream), byte != EOF {
        guard byte == Int32(separator) else {
            line.append(UInt8(truncatingIfNeeded: byte))
            continue
        }
        guard body(line) else { return true }
        line.removeAll(keepingCapacity: true)
    }
    if !line.isEmpty { _ = body(line) }
    return true
}

/// The rest of a line that begins with `key`; nil if it does not.
func value(in line: [UInt8], after key: StaticString) -> ArraySlice<UInt8>? {
    let count = key.utf8CodeUnitCount
    guard line.count >= count, (0..<count).allSatisfy({ line[$0] == key.utf8Start[$0] }) else { return nil }
    return line[count...]
}

/// The decimal number after `key` at the start of a line, perhaps after blanks; nil without file, key or number.
func number(in path: String, after key: StaticString) -> Int? {
    var number: Int?
    forEachLine(of: path) { line in
        guard let rest = value(in: line, after: key) else { return true }
        let digits = rest.drop { !isDigit($0) }.prefix(while: isDigit)
        number = Int(String(decoding: digits, as: UTF8.self))
        return false
    }
    return number
}

/// Integers, perhaps negative, at the start of a file's first line, separated by blanks, up to the first word that is not an integer.
public func numbers(in path: String) -> [Int] {
    var numbers: [Int] = []
    forEachLine(of: path) { line in
        for word in line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 }) {
            guard let number = Int(String(decoding: word, as: UTF8.self)) else { break }
            numbers.append(number)
        }
        return false
    }
    return numbers
}

private func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
