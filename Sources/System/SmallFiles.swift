import CSystem

/// The decimal number after `key` at the start of a line of a small text file; nil without file, key or number.
func number(in path: String, after key: StaticString) -> Int? {
    guard let stream = fopen(path, "rb") else { return nil }
    defer { fclose(stream) }
    var matched = 0
    var isAtStart = true
    var value: Int?
    while case let byte = getc(stream), byte != EOF {
        if matched == key.utf8CodeUnitCount {
            // Blanks, then digits.
            if byte >= 0x30, byte <= 0x39, (value ?? 0) < 1 << 56 {
                value = (value ?? 0) * 10 + Int(byte - 0x30)
            } else if value != nil || byte == 0x0A {
                break
            }
        } else if isAtStart, byte == Int32(key.utf8Start[matched]) {
            matched += 1
        } else {
            isAtStart = byte == 0x0A
            matched = 0
        }
    }
    return value
}

/// Whole numbers, perhaps negative, at the start of a small text file's first line, blanks between them; the first word that is none ends them.
public func numbers(in path: String) -> [Int] {
    guard let stream = fopen(path, "rb") else { return [] }
    defer { fclose(stream) }
    var numbers: [Int] = []
    var word: [UInt8] = []
    while true {
        let byte = getc(stream)
        if byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == EOF {
            if !word.isEmpty {
                guard let number = Int(String(decoding: word, as: UTF8.self)) else { return numbers }
                numbers.append(number)
                word.removeAll()
            }
            guard byte == 0x20 || byte == 0x09 else { return numbers }
        } else {
            word.append(UInt8(truncatingIfNeeded: byte))
        }
    }
}
