import CHash
import CImage
import Foundation
import Imaging
import ModelFormat
import System
import TestSupport

/// Well-formed files to start from.
enum Seeds {
    static let network = Architecture(
        backbone: .convNeXt(depths: [1, 1, 1, 1], dims: [1, 2, 3, 4]), visualHead: .mlp(hidden: 5), embedding: 6,
        hidden: 32, heads: 8, points: 1, encoderLayers: 1, encoderFeedForward: 4, decoderLayers: 1, decoderFeedForward: 4, queries: 2,
        text: TextArchitecture(width: 64, layers: 1, vocabulary: 4, context: 4))

    static let resNet = Architecture(
        backbone: .resNet(depths: [1, 1, 1, 1], width: 2), visualHead: .attentionPool(grid: 1), embedding: 6,
        hidden: 32, heads: 8, points: 1, encoderLayers: 1, encoderFeedForward: 4, decoderLayers: 1, decoderFeedForward: 4, queries: 2,
        text: TextArchitecture(width: 64, layers: 1, vocabulary: 4, context: 4))

    static let torch: [TorchBuilder] = {
        var view = TorchBuilder.Tensor("view", key: "0", shape: [2, 3], [1, 2, 3, 4, 5, 6])
        var half = TorchBuilder.Tensor("half", key: "1", shape: [2], [0])
        half.storage = "HalfStorage"
        half.elements = 2
        var empty = TorchBuilder.Tensor("empty", key: "2", shape: [0], [])
        empty.shape = [0, 2, 1 << 61]
        empty.strides = [1 << 62, 1 << 61, 1]
        let small = TorchBuilder([view, half, empty], wrapper: "model")
        view.strides = [1, 2]
        view.name = "transposed"
        let whole = network.layout.sorted { $0.key < $1.key }.enumerated().map { index, item in
            TorchBuilder.Tensor(item.key, key: String(index), shape: item.value, [Float](repeating: 1, count: item.value.reduce(1, *)))
        }
        // Objects that training programs store beside the weights, and the opcodes of later protocols.
        var besides = PickleBuilder()
        besides.bytes[1] = 4
        besides.bytes += Array("}(".utf8)
        besides.text("scheduler")
        besides.bytes += Array("ccollections\nCounter\n}K".utf8) + [3] + Array("K".utf8) + [1] + Array("s".utf8) + [0x85] + Array("R".utf8)
        besides.text("options")
        besides.bytes += [0x8c, 8] + Array("argparse".utf8) + [0x8c, 9] + Array("Namespace".utf8) + [0x93] + Array(")".utf8) + [0x81] + Array("}b".utf8)
        besides.text("set")
        besides.bytes += [0x8f, 0x94] + Array("(K".utf8) + [1, 0x90]
        besides.text("seed")
        besides.bytes += [0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0x8b, 3, 0, 0, 0, 1, 2, 3, 0x30]
        besides.text("bytes")
        besides.bytes += Array("C".utf8) + [2, 1, 2]
        besides.text("model")
        besides.bytes += Array("}".utf8)
        besides.text("view")
        besides.tensor(view)
        besides.bytes += Array("su.".utf8)
        var training = TorchBuilder([view])
        training.pickle = besides.bytes
        // A TorchScript archive: whole, and one whose pickle is mostly modules, one of them under two names.
        var program = TorchBuilder(
            resNet.layout.sorted { $0.key < $1.key }.enumerated().map { index, item in
                TorchBuilder.Tensor(item.key, key: String(index), shape: item.value, halves: [Float](repeating: 1, count: item.value.reduce(1, *)))
            })
        program.isProgram = true
        var modules = PickleBuilder()
        modules.module(["visual", "shared", "again"]) { pickle, name in
            switch name {
            case "visual": pickle.modules([view])
            case "shared":
                pickle.modules([half])
                pickle.bytes += Array("q".utf8) + [7]
            default: pickle.bytes += Array("h".utf8) + [7]
            }
        }
        modules.opcode(".")
        var shared = TorchBuilder([view, half])
        shared.isProgram = true
        shared.pickle = modules.bytes
        return [small, TorchBuilder([view]), TorchBuilder(whole, wrapper: "state_dict"), training, program, shared]
    }()

    static let names: [[UInt8]] = [
        Array("# classes\n1:person,man,woman\n2:sky,clouds\tstuff\t#0080ff\n\ntraffic light\tthing\r\ncaf\u{E9}\n".utf8),
        Array("\u{FEFF}cat\rkitchen stuff\rb\u{200B}us\rsky    stuff\r<end_of_text>".utf8),
        [0xFF, 0xFE] + Array("cat\nsky\tstuff\n".utf16).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] },
    ]

    static let coco: [[UInt8]] = {
        let head = "{\"info\":{\"v\":1.0},\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":5,\"height\":4},{\"id\":\"b\",\"file_name\":\"b.png\"}],"
        let tail = "\"categories\":[{\"id\":3,\"name\":\"cat\",\"isthing\":1},{\"id\":7,\"name\":\"sky\",\"isthing\":false}]}"
        let masks = ["[[0,0,3,0,3,3,0,3]]", "{\"size\":[4,5],\"counts\":[3,4,13]}", "{\"size\":[4,5],\"counts\":\"34=\"}"]
        let instances = masks.map { "{\"image_id\":1,\"category_id\":3,\"iscrowd\":0,\"area\":9.5,\"segmentation\":\($0)}" }.joined(separator: ",")
        let segments = "{\"image_id\":\"b\",\"file_name\":\"absent.png\",\"segments_info\":[{\"id\":1,\"category_id\":7,\"area\":4,\"iscrowd\":true}]}"
        return ["\(head)\"annotations\":[\(instances)],\(tail)", "\(head)\"annotations\":[\(segments)],\(tail)"].map { Array($0.utf8) }
    }()

    /// Headers with the size of the data that they divide.
    static let safetensors: [(header: [UInt8], data: Int)] = {
        var headers: [(header: [UInt8], data: Int)] = []
        let small = [
            "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
                + "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[12,20]}}"
        ]
        headers.append((Array(small[0].utf8), 20))
        for network in [network, resNet] {
            var end = 0
            let entries = network.layout.sorted { $0.key < $1.key }.map { name, shape in
                let size = shape.reduce(1, *)
                defer { end += size }
                return SafeTensorsBuilder.entry(name, "I8", shape, end, end + size)
            }
            headers.append((Array(("{" + entries.joined(separator: ",") + "}").utf8), end))
        }
        return headers
    }()

    private static func written(_ fill: (GGUFWriter) throws -> Void) throws -> [UInt8] {
        let folder = try TemporaryFolder()
        let path = folder.path("seed.gguf")
        let writer = try GGUFWriter(path: path, alignment: 32)
        try fill(writer)
        try writer.commit()
        return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    static func gguf() throws -> [UInt8] {
        try written { writer in
            try writer.set("text", .string("some text"))
            try writer.set("texts", .strings(["one", "two", "three"]))
            try writer.set("flags", .bools([true, false]))
            try writer.set("numbers", .int32s([1, -2, 3]))
            try writer.set("u64", .uint64(5))
            try writer.set("floats", .float32s([1, 2]))
            try writer.declare("a", shape: [2, 3], kind: .float32)
            try writer.declare("b", shape: [5], kind: .int8)
            try writer.append("a", [1, 2, 3, 4, 5, 6] as [Float])
            try writer.append("b", [1, 2, 3, 4, 5] as [Int8])
        }
    }

    static func vocabulary() throws -> [UInt8] {
        try written { writer in
            try writer.set("general.architecture", .string(Vocabulary.architecture))
            try writer.set("fcclip.vocabulary.version", .uint32(UInt32(Vocabulary.version)))
            try writer.set("fcclip.vocabulary.names", .strings(["cat", "kitten", "sky"]))
            try writer.set("fcclip.vocabulary.category.name_count", .uint32s([2, 1]))
            try writer.set("fcclip.vocabulary.category.thing", .bools([true, false]))
            try writer.set("fcclip.vocabulary.category.seen", .bools([true, true]))
            try writer.set("fcclip.vocabulary.category.colour", .uint32s([0xff0000, 0x00ff00]))
            try writer.set("fcclip.vocabulary.category.id", .int32s([1, -1]))
            try writer.set(Vocabulary.fingerprintKey, .string("0123456789abcdef"))
            try writer.declare(Vocabulary.embeddingsName, shape: [3, 2], kind: .float32)
            try writer.append(Vocabulary.embeddingsName, [1, 0, 0, 1, 0.6, 0.8] as [Float])
        }
    }

    static func model() throws -> [UInt8] {
        try written { writer in
            try writer.set("general.architecture", .string(ModelFile.architectureName))
            try writer.set(ModelFile.Key.version, .uint32(UInt32(ModelFile.version)))
            try writer.set(ModelFile.Key.shortestEdge, .uint32(512))
            try writer.set(ModelFile.Key.longestEdge, .uint32(1333))
            let mean = PixelStatistics.mean
            let deviation = PixelStatistics.deviation
            try writer.set(ModelFile.Key.mean, .float32s([mean.0, mean.1, mean.2]))
            try writer.set(ModelFile.Key.deviation, .float32s([deviation.0, deviation.1, deviation.2]))
            try writer.set(ModelFile.Key.alpha, .float32(0.4))
            try writer.set(ModelFile.Key.beta, .float32(0.8))
            try writer.set(ModelFile.Key.fingerprint, .string("0123456789abcdef"))
            try writer.set(network)
            try writer.set(ModelFile.Key.pointNames, .strings(["stem", "head"]))
            try writer.set(ModelFile.Key.pointScales, .float32s([0.5, 0.25]))
            try writer.set(ModelFile.Key.pointZeroPoints, .int32s([0, -128]))
            try writer.declare("stem.weight", shape: [8], kind: .int8)
            try writer.append("stem.weight", [1, 2, 3, 4, 5, 6, 7, 8] as [Int8])
        }
    }

    /// Corrects the checksums of a changed file, if its tables still have valid positions of checksums and tensors.
    static func resealed(_ bytes: [UInt8], like original: [UInt8], tensorSizes: [Int]) -> [UInt8] {
        var bytes = bytes
        let padded = tensorSizes.map { ($0 + 31) / 32 * 32 }
        let start = original.count - padded.reduce(0, +)
        guard bytes.count == original.count, let list = original.firstRange(ofText: GGUF.tensorChecksums),
            let header = original.firstRange(ofText: GGUF.headerChecksum)
        else { return bytes }
        var offset = start
        for (index, size) in tensorSizes.enumerated() {
            let hash = bytes[offset..<offset + size].withUnsafeBytes { hash_xxh3($0.baseAddress, $0.count) }
            bytes.set(hash, at: list.upperBound + 16 + index * 8)
            offset += padded[index]
        }
        bytes.set(UInt64(0), at: header.upperBound + 4)
        let hash = bytes[..<start].withUnsafeBytes { hash_xxh3($0.baseAddress, $0.count) }
        bytes.set(hash, at: header.upperBound + 4)
        return bytes
    }
}
