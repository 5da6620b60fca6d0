import CSystem
import Foundation
import Kernels
import System

/// The header of a `.safetensors` file: a u64 length, that many bytes of JSON, then the data that the JSON divides.
///
/// Format: https://huggingface.co/docs/safetensors
enum SafeTensors {
    private static let longestHeader = 4 << 20

    private static let kinds: [String: StoredTensor.Kind] = [
        "F32": .float32, "F16": .float16, "BF16": .bfloat16, "F64": .float64,
        "I64": .int64, "I32": .int32, "I16": .int16, "I8": .int8, "U8": .uint8, "BOOL": .bool,
    ]

    private struct Item: Decodable {
        let dtype: String
        let shape: [Int]
        let data_offsets: [Int]
    }

    private struct Name: CodingKey {
        let stringValue: String
        let intValue: Int? = nil
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// The header's object without its `__metadata__`.
    private struct Items: Decodable {
        var items: [(name: String, item: Item)] = []

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Name.self)
            for key in container.allKeys where key.stringValue != "__metadata__" {
                items.append((key.stringValue, try container.decode(Item.self, forKey: key)))
            }
        }
    }

    /// Whether the file starts as a `.safetensors` file does: with a length and an object.
    static func recognizes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 9 && bytes[8] == UInt8(ascii: "{")
    }

    /// - Throws: when the header does not describe the data section completely and without overlap.
    static func read(_ file: MappedFile) throws(Fault) -> [StoredTensor] {
        let path = file.path
        var reader = ByteReader(file.bytes, path: path)
        let length = try reader.integer(UInt64.self)
        guard length <= longestHeader else { throw Fault("\(path): corrupt: a safetensors header of \(length) bytes is announced") }
        let json = try reader.take(Int(length))
        let data = reader.offset
        let size = file.bytes.count - data
        let items: [(name: String, item: Item)]
        do {
            items = try JSONDecoder().decode(Items.self, from: Data(json)).items
        } catch {
            throw Fault("\(path): corrupt: the safetensors header is no JSON object of tensors")
        }

        var tensors: [StoredTensor] = []
        var end = 0
        for (name, item) in items.sorted(by: { $0.item.data_offsets.lexicographicallyPrecedes($1.item.data_offsets) }) {
            let text = abbreviated(name)
            guard item.shape.count <= StoredTensor.highestRank else { throw Fault("\(path): corrupt: tensor \(text) has \(item.shape.count) dimensions") }
            guard let kind = kinds[item.dtype] else { throw Fault("\(path): tensor \(text) has element type \(abbreviated(item.dtype)), which is not read") }
            guard item.data_offsets.count == 2, item.data_offsets[0] >= 0, item.data_offsets[0] <= item.data_offsets[1], item.data_offsets[1] <= size else {
                throw Fault("\(path): truncated or corrupt: tensor \(text) lies outside the file")
            }
            let range = item.data_offsets[0]..<item.data_offsets[1]
            guard range.lowerBound == end else {
                throw Fault("\(path): corrupt: tensor \(text) overlaps its predecessor or leaves a gap")
            }
            end = range.upperBound
            var bytes = kind.size
            var strides: [Int] = []
            for length in item.shape.reversed() {
                strides.insert(bytes / kind.size, at: 0)
                let product = bytes.multipliedReportingOverflow(by: length)
                guard length >= 0, !product.overflow else { throw Fault("\(path): corrupt: tensor \(text) has a dimension of \(length)") }
                bytes = product.partialValue
            }
            guard bytes == range.count else {
                throw Fault("\(path): corrupt: tensor \(text) of shape \(item.shape) and type \(item.dtype) has \(range.count) bytes")
            }
            tensors.append(
                try StoredTensor(
                    name: name, shape: item.shape, strides: strides, kind: kind, offset: 0,
                    storage: data + range.lowerBound..<data + range.upperBound, file: file))
        }
        guard end == size else { throw Fault("\(path): corrupt: \(size - end) bytes after the last tensor belong to none") }
        return tensors
    }
}
