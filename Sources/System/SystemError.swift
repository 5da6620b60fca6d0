import CSystem

/// The text of an error's number, as in `errno`.
public func errorText(_ number: Int32) -> String {
    String(cString: strerror(number))
}

/// The text of the last failed system call's error.
public func systemError() -> String {
    errorText(system_errno())
}

/// 16 hexadecimal digits, lower case.
public func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
}
