import CBoard

/// The text of an error's number, as in `errno`.
public func errorText(_ number: Int32) -> String {
    String(cString: strerror(number))
}
