/// A safetensors file from a header written out by hand.
public enum SafeTensorsBuilder {
    /// - Parameter length: the header's length that the file announces; nil: the correct one.
    public static func bytes(_ header: String, data: [UInt8], length: UInt64? = nil) -> [UInt8] {
        var file: [UInt8] = []
        file.append(little: length ?? UInt64(header.utf8.count))
        return file + Array(header.utf8) + data
    }

    /// One well-formed entry of a header.
    public static func entry(_ name: String, _ type: String, _ shape: [Int], _ start: Int, _ end: Int) -> String {
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(start),\(end)]}"
    }
}
