import Checkpoint
import Foundation
import System
import TestSupport
import Testing

/// TorchScript archives, as OpenAI publishes its CLIPs: tensors are attributes of modules.
@Suite struct TorchScriptTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let weight = TorchBuilder.Tensor("visual.conv1.weight", key: "0", shape: [2, 3], halves: [1, 2, -3, 4, 0.5, 65504])
    private static let count = TorchBuilder.Tensor("visual.bn1.num_batches_tracked", key: "1", shape: [], integers: [7])
    private static let scale = TorchBuilder.Tensor("logit_scale", key: "2", shape: [], [4.5])

    private var sample: TorchBuilder {
        var builder = TorchBuilder([Self.scale, Self.count, Self.weight])
        builder.isProgram = true
        return builder
    }

    private func fault(_ bytes: [UInt8]) throws -> String? {
        let path = try folder.file("case.pt", bytes)
        let message = faultMessage { _ = try Contents(path: path) }
        #expect(message?.hasPrefix(path) != false && message?.contains("\n") != true)
        return message
    }

    /// The sample with another pickle, which `write` writes between the protocol and the stop.
    private func archive(_ write: (inout PickleBuilder) -> Void) -> TorchBuilder {
        var pickle = PickleBuilder()
        write(&pickle)
        pickle.opcode(".")
        var builder = sample
        builder.pickle = pickle.bytes
        return builder
    }

    private func fault(_ write: (inout PickleBuilder) -> Void) throws -> String? {
        try fault(archive(write).bytes())
    }

    // MARK: - Valid archives

    @Test func readsTheAttributesOfModules() throws {
        var builder = sample
        // From a GPU, a view, and one storage under two names.
        builder.tensors[2].device = "cuda:0"
        var view = Self.weight
        (view.name, view.shape, view.strides, view.offset) = ("visual.conv1.view", [2], [3], 2)
        builder.tensors.append(view)
        let path = try folder.file("case.pt", builder.bytes())
        let file = try TensorFile.open(path: path)
        #expect(file.names == ["logit_scale", "visual.bn1.num_batches_tracked", "visual.conv1.weight", "visual.conv1.view"])
        #expect(file.tensor("visual.conv1.weight")?.kind == .float16 && file.tensor("visual.bn1.num_batches_tracked")?.kind == .int64)
        let contents = try Contents(path: path)
        #expect(contents.tensors["visual.conv1.weight"] == [1, 2, -3, 4, 0.5, 65504])
        #expect(contents.tensors["visual.conv1.view"] == [-3, 65504])
        #expect(contents.tensors["visual.bn1.num_batches_tracked"] == [7] && contents.shapes["visual.bn1.num_batches_tracked"] == [])
    }

    /// Modules may be made by a call, without attributes, or with a state that is not a dictionary, and stand under several names.
    @Test func modulesOfAllKinds() throws {
        let builder = archive { pickle in
            pickle.module(["first", "called", "bare", "stateful", "list", "second"]) { pickle, name in
                switch name {
                case "first":
                    pickle.module(["weight"]) { pickle, _ in pickle.tensor(Self.weight) }
                    pickle.bytes += Array("q".utf8) + [1]
                case "second": pickle.bytes += Array("h".utf8) + [1]
                case "list":
                    pickle.bytes += Array("](".utf8)
                    pickle.tensor(Self.weight)
                    pickle.opcode("e")
                default:
                    pickle.global("__torch__.a", "B")
                    pickle.bytes += Array(")R".utf8)
                    if name == "stateful" { pickle.bytes += [0x88] + Array("b".utf8) }
                    if name == "called" {
                        pickle.bytes += Array("}(".utf8)
                        pickle.text("scale")
                        pickle.tensor(Self.scale)
                        pickle.bytes += Array("ub".utf8)
                    }
                }
            }
        }
        let file = try TensorFile.open(path: try folder.file("case.pt", builder.bytes()))
        #expect(file.names == ["first.weight", "called.scale", "second.weight"])
    }

    // MARK: - Damage

    @Test func everyTruncationIsDetected() throws {
        let bytes = sample.bytes()
        for count in bytes.indices { #expect(try fault(Array(bytes[..<count])) != nil, "\(count) bytes") }
        #expect(try fault(bytes) == nil)
    }

    @Test func everyFlippedBitIsDetectedOrHarmless() throws {
        let bytes = sample.bytes()
        let truth = try Contents(path: folder.file("truth.pt", bytes))
        for bit in 0..<bytes.count * 8 {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let path = try folder.file("case.pt", damaged)
            var contents: Contents?
            if faultMessage({ contents = try Contents(path: path) }) == nil { #expect(contents == truth, "bit \(bit)") }
        }
    }

    @Test func compressedWeightsAreRefused() throws {
        for name in ["archive/data.pkl", "archive/data/0"] {
            var zip = sample.zip()
            let index = try #require(zip.entries.firstIndex { $0.name == name })
            zip.entries[index].method = 8
            #expect(try fault(zip.bytes())?.contains("\(name) is compressed") == true)
        }
    }

    // MARK: - Hostile archives

    @Test func foreignCodeIsRefused() throws {
        for (module, name) in [("os", "system"), ("builtins", "eval"), ("posix", "system")] {
            let message = try fault { pickle in
                pickle.module(["weight"]) { pickle, _ in
                    pickle.global(module, name)
                    pickle.opcode("(")
                    pickle.text("touch owned")
                    pickle.bytes += Array("tR".utf8)
                }
            }
            #expect(message?.contains("refers to \(module).\(name)") == true, "\(message ?? "read")")
        }
    }

    @Test func aModuleInsideItselfIsRefused() throws {
        let message = try fault { pickle in
            pickle.global("__torch__.a", "B")
            pickle.bytes += Array(")".utf8) + [0x81] + Array("q".utf8) + [0] + Array("}".utf8)
            pickle.text("self")
            pickle.bytes += Array("h".utf8) + [0] + Array("sb".utf8)
        }
        #expect(message?.hasSuffix("corrupt: modules are nested more than 32 deep, or one contains itself") == true, "\(message ?? "read")")
    }

    /// Each module is put into the next one through the memo: 100 000 levels.
    @Test func deepNestingIsRefused() throws {
        let message = try fault { pickle in
            pickle.opcode("N")
            for _ in 0..<100_000 {
                pickle.bytes += Array("q".utf8) + [0] + Array("0c__torch__\nB\n)".utf8) + [0x81] + Array("}X".utf8) + [1, 0, 0, 0] + Array("ah".utf8) + [0]
                pickle.bytes += Array("sb".utf8)
            }
        }
        #expect(message?.contains("nested more than 32 deep") == true, "\(message ?? "read")")
    }

    /// Each module is twice in the next one, so that the last has 2^30 paths.
    @Test func modulesSharedExponentiallyAreRefused() throws {
        let message = try fault { pickle in
            pickle.tensor(Self.weight)
            for _ in 0..<30 {
                pickle.bytes += Array("q".utf8) + [0] + Array("0".utf8)
                pickle.module(["a", "b"]) { pickle, _ in pickle.bytes += Array("h".utf8) + [0] }
            }
        }
        #expect(message?.hasSuffix("corrupt: its modules have more than 100000 attributes") == true, "\(message ?? "read")")
    }

    @Test func namesThatOccurTwiceAreRefused() throws {
        let message = try fault { pickle in
            pickle.module(["a.weight", "a"]) { pickle, name in
                if name == "a" { pickle.module(["weight"]) { pickle, _ in pickle.tensor(Self.weight) } } else { pickle.tensor(Self.weight) }
            }
        }
        #expect(message?.hasSuffix("tensor a.weight occurs twice") == true, "\(message ?? "read")")
    }

    @Test func namesAreShort() throws {
        let long = String(repeating: "n", count: 600)
        let message = try fault { pickle in
            pickle.module([long]) { pickle, _ in pickle.module([long]) { pickle, _ in pickle.tensor(Self.weight) } }
        }
        #expect(message?.hasSuffix("corrupt: a tensor's name is longer than 1024 bytes") == true, "\(message ?? "read")")
    }

    @Test func otherProgramsAreRefused() throws {
        #expect(try fault { pickle in pickle.module(["training"]) { pickle, _ in pickle.bytes.append(0x88) } }?.hasSuffix("holds no tensors") == true)
        var other = sample
        other.tensors = [TorchBuilder.Tensor("features.0.weight", key: "0", shape: [2], [1, 2])]
        let path = try folder.file("other.pt", other.bytes())
        #expect(faultMessage { _ = try Checkpoint(textEncoderIn: [path]) }?.contains("no tensor of FC-CLIP or of open_clip's CLIP") == true)
    }
}
