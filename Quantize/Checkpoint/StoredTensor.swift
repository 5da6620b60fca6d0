import Kernels
import System

/// A tensor inside a mapped container: a view that costs no memory until it is read.
public struct StoredTensor {
    public enum Kind: String, CaseIterable, Sendable {
        case float32, float16, bfloat16, float64, int64, int32, int16, int8, uint8, bool

        /// Bytes of an element.
        public var size: Int {
            switch self {
            case .int8, .uint8, .bool: 1
            case .float16, .bfloat16, .int16: 2
            case .float32, .int32: 4
            case .float64, .int64: 8
            }
        }
    }

    static let highestRank = 8
    /// Elements of a tensor that repeats those it has, as `expand` makes it: more than any layer's.
    static let mostRepeated = 1 << 26

    /// The container's name for it; in a `Checkpoint`, upstream's name in the one-file layout.
    public internal(set) var name: String
    /// Outermost dimension first; empty for a scalar.
    public let shape: [Int]
    /// Distance of neighbours along each dimension, in elements; never negative.
    public let strides: [Int]
    public let kind: Kind

    let file: MappedFile
    /// Bytes of the file that the tensor may refer to; tensors can share them.
    let storage: Range<Int>
    /// Of the first element in the file.
    let offset: Int
    /// Bytes of the file that hold the tensor's elements.
    let extent: Range<Int>

    /// - Parameter storage: bytes of the file that the tensor may refer to.
    /// - Parameter offset: of the first element in `storage`, in elements.
    /// - Throws: when an element lies outside `storage`, or when a broadcast view (strides of 0) has more elements than `mostRepeated`.
    init(name: String, shape: [Int], strides: [Int], kind: Kind, offset: Int, storage: Range<Int>, file: MappedFile) throws(Fault) {
        let capacity = storage.count / kind.size
        let corrupt = Fault("\(file.path): tensor \(abbreviated(name)) lies outside its storage")
        guard shape.count == strides.count, shape.count <= StoredTensor.highestRank, offset >= 0, offset <= capacity else { throw corrupt }
        var count = 1
        var last = offset
        for (length, stride) in zip(shape, strides) {
            guard length >= 0, stride >= 0 else { throw corrupt }
            let product = count.multipliedReportingOverflow(by: length)
            let span = max(length - 1, 0).multipliedReportingOverflow(by: stride)
            let sum = last.addingReportingOverflow(span.partialValue)
            guard !product.overflow, !span.overflow, !sum.overflow else { throw corrupt }
            count = product.partialValue
            last = sum.partialValue
        }
        guard count == 0 || (last < capacity && count <= max(capacity, StoredTensor.mostRepeated)) else { throw corrupt }
        self.name = name
        self.shape = shape
        self.strides = strides
        self.kind = kind
        self.file = file
        self.storage = storage
        self.offset = storage.lowerBound + offset * kind.size
        extent = self.offset..<(count == 0 ? self.offset : storage.lowerBound + (last + 1) * kind.size)
    }

    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// Whether the elements lie in row-major order without gaps.
    public var isContiguous: Bool {
        // Only the dimensions of a tensor with elements are known to have a product.
        guard count > 0 else { return true }
        var expected = 1
        for (length, stride) in zip(shape, strides).reversed() where length != 1 {
            guard stride == expected else { return false }
            expected *= length
        }
        return true
    }

    /// The elements in row-major order, rounded to fp32; truth values as 0 and 1.
    public func floats() -> [Float] {
        [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            copy(to: buffer.baseAddress)
            initialized = count
        }
    }

    /// Calls `body` with the elements in row-major order: with the mapped bytes themselves where they are fp32, contiguous
    /// and aligned, otherwise with a copy that lives as long as the call.
    public func withFloats<Result, Failure: Error>(
        _ body: (UnsafeBufferPointer<Float>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if kind == .float32, isContiguous, offset % MemoryLayout<Float>.alignment == 0, count > 0 {
            let base = (file.bytes.baseAddress! + offset).assumingMemoryBound(to: Float.self)
            return try body(UnsafeBufferPointer(start: base, count: count))
        }
        let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
        defer { copy.deallocate() }
        self.copy(to: copy.baseAddress)
        return try body(UnsafeBufferPointer(copy))
    }

    /// Gives the memory of the tensor's pages back; they are read again from the file when touched.
    public func release() {
        file.release(extent)
    }

    // MARK: - Conversion

    private func copy(to target: UnsafeMutablePointer<Float>?) {
        guard let target, count > 0 else { return }
        switch kind {
        case .float32: convert(UInt32.self, to: target) { Float(bitPattern: $0) }
        case .float16: convert(UInt16.self, to: target) { Float(Float16(bitPattern: $0)) }
        case .bfloat16: convert(UInt16.self, to: target) { Float(bitPattern: UInt32($0) << 16) }
        case .float64: convert(UInt64.self, to: target) { Float(Double(bitPattern: $0)) }
        case .int64: convert(Int64.self, to: target) { Float($0) }
        case .int32: convert(Int32.self, to: target) { Float($0) }
        case .int16: convert(Int16.self, to: target) { Float($0) }
        case .int8: convert(Int8.self, to: target) { Float($0) }
        case .uint8: convert(UInt8.self, to: target) { Float($0) }
        case .bool: convert(UInt8.self, to: target) { $0 == 0 ? 0 : 1 }
        }
    }

    @inline(__always)
    private func convert<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type, to target: UnsafeMutablePointer<Float>, _ value: (T) -> Float
    ) {
        let base = file.bytes.baseAddress! + offset
        let size = MemoryLayout<T>.size
        // Rows along the innermost dimension; `position` counts through the outer ones.
        let inner = shape.last ?? 1
        let step = strides.last ?? 1
        var position = [Int](repeating: 0, count: max(shape.count - 1, 0))
        var source = 0
        var written = 0
        while true {
            for index in 0..<inner {
                let raw = base.loadUnaligned(fromByteOffset: (source + index * step) * size, as: T.self)
                target[written + index] = value(T(littleEndian: raw))
            }
            written += inner
            var dimension = position.count - 1
            while dimension >= 0 {
                position[dimension] += 1
                source += strides[dimension]
                if position[dimension] < shape[dimension] { break }
                source -= strides[dimension] * shape[dimension]
                position[dimension] = 0
                dimension -= 1
            }
            if dimension < 0 { return }
        }
    }
}
