import Foundation
import System

extension [UInt8] {
    /// Appends the little-endian bytes of `value`.
    public mutating func append<T: FixedWidthInteger>(little value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { self += $0 }
    }

    /// Overwrites the little-endian bytes of an integer at `offset`.
    public mutating func set<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        Swift.withUnsafeBytes(of: value.littleEndian) { replaceSubrange(offset..<offset + $0.count, with: $0) }
    }

    /// The little-endian integer at `offset`.
    public func integer<T: FixedWidthInteger>(_ type: T.Type = T.self, at offset: Int) -> T {
        withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    /// Where `text` first occurs.
    public func firstRange(ofText text: String) -> Range<Int>? {
        firstRange(of: Array(text.utf8))
    }

    public static func little<Value: BitwiseCopyable>(_ elements: [Value]) -> [UInt8] {
        elements.withUnsafeBytes { Array($0) }
    }
}

/// The message of the fault that `body` throws; nil when it succeeds. Any other error is an unexpected message of its own.
public func faultMessage(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let fault as Fault {
        return fault.message
    } catch {
        return "not a fault: \(error)"
    }
}
