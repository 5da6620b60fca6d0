import Checkpoint
import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct PickleTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let weight = TorchBuilder.Tensor("weight", key: "0", shape: [2, 3], [1, 2, 3, 4, 5, 6])

    private func fault(pickle: [UInt8]) throws -> String? {
        var builder = TorchBuilder([Self.weight])
        builder.pickle = pickle
        let path = try folder.file("case.pth", builder.bytes())
        return faultMessage { _ = try TensorFile.open(path: path) }
    }

    private func fault(_ change: (inout TorchBuilder.Tensor) -> Void) throws -> String? {
        var tensor = Self.weight
        change(&tensor)
        let path = try folder.file("case.pth", TorchBuilder([tensor]).bytes())
        return faultMessage { _ = try TensorFile.open(path: path) }
    }

    @Test(arguments: [("os", "system"), ("posix", "system"), ("subprocess", "Popen"), ("builtins", "eval"), ("__builtin__", "exec"), ("os.path", "join")])
    func programsAreRefused(module: String, name: String) throws {
        var pickle = PickleBuilder()
        pickle.global(module, name)
        pickle.opcode("(")
        pickle.text("touch owned")
        pickle.bytes += Array("tR.".utf8)
        let message = try fault(pickle: pickle.bytes)
        #expect(message?.contains("refers to \(module).\(name)") == true && message?.contains("was not loaded") == true)
    }

    /// Objects that training programs store beside the tensors, in pickles as Python writes them: unknown, opaque, and accepted.
    private static let besides: [(String, [UInt8])] = [
        ("Counter", Array("ccollections\nCounter\n}\u{85}R".unicodeScalars.map { UInt8($0.value) })),
        ("Counter with items", Array("ccollections\nCounter\n}K".utf8) + [3] + Array("K".utf8) + [1] + Array("s".utf8) + [0x85] + Array("R".utf8)),
        (
            "NumPy scalar",
            Array("cnumpy._core.multiarray\nscalar\ncnumpy\ndtype\nX".utf8) + [2, 0, 0, 0] + Array("f8".utf8) + [0x89, 0x88, 0x87] + Array("R(K".utf8) + [3]
                + Array("X".utf8) + [1, 0, 0, 0] + Array("<NNNJ".utf8) + [255, 255, 255, 255] + Array("J".utf8) + [255, 255, 255, 255] + Array("K".utf8) + [0]
                + Array("tbc_codecs\nencode\nX".utf8)
                + [1, 0, 0, 0] + Array("aX".utf8) + [6, 0, 0, 0] + Array("latin1".utf8) + [0x86] + Array("R".utf8) + [0x86] + Array("R".utf8)
        ),
        (
            "Namespace",
            Array("cargparse\nNamespace\n)".utf8) + [0x81] + Array("}X".utf8) + [2, 0, 0, 0]
                + Array("lrG?PbM\u{d2}\u{f1}\u{a9}\u{fc}sb".unicodeScalars.map { UInt8($0.value) })
        ),
        ("set", Array("c__builtin__\nset\n]K".utf8) + [1] + Array("a".utf8) + [0x85] + Array("R".utf8)),
        ("set of protocol 4", [0x8f] + Array("(K".utf8) + [1, 0x90]),
        ("frozenset", Array("(K".utf8) + [1, 0x91]),
        ("2 to the power of 70", [0x8a, 9, 0, 0, 0, 0, 0, 0, 0, 0, 64]),
        ("a long number", [0x8b, 12, 0, 0, 0] + [UInt8](repeating: 1, count: 12)),
        ("bytes", Array("C".utf8) + [3, 1, 2, 3]), ("many bytes", Array("B".utf8) + [3, 0, 0, 0, 1, 2, 3]),
        ("bytearray", [0x96, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2]),
        ("path", Array("cpathlib\nPosixPath\n(X".utf8) + [1, 0, 0, 0] + Array("atR".utf8)),
        (
            "global of protocol 4",
            [0x8c, 8] + Array("datetime".utf8) + [0x8c, 4] + Array("date".utf8) + [0x93] + Array("C".utf8) + [4, 7, 0xea, 1, 1, 0x85] + Array("R".utf8)
        ),
        ("object with named arguments", Array("ca.b\nC\n)}".utf8) + [0x92]),
        ("defaultdict", Array("ccollections\ndefaultdict\nc__builtin__\nlist\n".utf8) + [0x85] + Array("RK".utf8) + [1] + Array("]s".utf8)),
        ("deque", Array("ccollections\ndeque\n)R(K".utf8) + [1] + Array("e".utf8)),
        (
            "storage of another kind",
            Array("ctorch._utils\n_rebuild_tensor_v3\n((X".utf8) + [7, 0, 0, 0] + Array("storagectorch.storage\nUntypedStorage\nX".utf8) + [1, 0, 0, 0]
                + Array("9X".utf8) + [3, 0, 0, 0] + Array("cpuK".utf8) + [4] + Array("tQK".utf8) + [0] + Array("))".utf8) + [0x89]
                + Array("Nctorch\nuint16\ntR".utf8)
        ),
        ("lambda", Array("c__main__\n<lambda>\n".utf8)),
    ]

    @Test(arguments: besides.indices, [2, 4] as [UInt8]) func whatIsUnknownIsOpaque(index: Int, version: UInt8) throws {
        let (what, value) = Self.besides[index]
        for (isFirst, isWrapped) in [(true, false), (false, false), (true, true)] {
            var pickle = PickleBuilder()
            pickle.bytes[1] = version
            pickle.opcode("}")
            pickle.opcode("(")
            func besides() {
                pickle.text("besides")
                pickle.bytes += value
            }
            if isFirst { besides() }
            if isWrapped {
                pickle.text("state_dict")
                pickle.bytes += Array("}(".utf8)
            }
            pickle.text("weight")
            pickle.tensor(Self.weight)
            if isWrapped { pickle.opcode("u") }
            if !isFirst { besides() }
            pickle.bytes += Array("u.".utf8)
            var builder = TorchBuilder([Self.weight])
            builder.pickle = pickle.bytes
            let file = try TensorFile.open(path: try folder.file("case.pth", builder.bytes()))
            #expect(file.names == ["weight"] && file.tensor("weight")?.floats() == [1, 2, 3, 4, 5, 6], "\(what)")
        }
    }

    /// Of several dictionaries, the one with the weights is used; if none has weights, the fault names the keys.
    @Test func theWeightsAreFound() throws {
        func names(_ entries: [(String, [String])], around: String? = nil) throws -> [String] {
            var pickle = PickleBuilder()
            if let around {
                pickle.opcode("}")
                pickle.text(around)
            }
            pickle.bytes += Array("}(".utf8)
            for (key, tensors) in entries {
                pickle.text(key)
                pickle.bytes += Array("}(".utf8)
                for name in tensors {
                    pickle.text(name)
                    pickle.tensor(Self.weight)
                }
                pickle.text("name")
                pickle.text("fcclip")
                pickle.opcode("u")
            }
            pickle.opcode("u")
            if around != nil { pickle.opcode("s") }
            pickle.opcode(".")
            var builder = TorchBuilder([Self.weight])
            builder.pickle = pickle.bytes
            return try TensorFile.open(path: try folder.file("case.pth", builder.bytes())).names
        }
        #expect(try names([("model", []), ("state_dict", ["a", "b"])]) == ["a", "b"])
        #expect(try names([("ema", ["x", "y"]), ("model", ["a", "b"])]) == ["a", "b"])
        #expect(try names([("optimizer", ["m"]), ("weights", ["a", "b"])]) == ["a", "b"])
        #expect(try names([("module", ["a", "b"])]) == ["a", "b"])
        #expect(try names([("model", ["a", "b"])], around: "checkpoint") == ["a", "b"])
        #expect(faultMessage { _ = try names([("config", []), ("epoch", [])]) }?.hasSuffix("holds no tensors by name; its keys are config, epoch") == true)
    }

    @Test func everyOpcodeOutsideTheListIsRefused() throws {
        let known: Set<UInt8> = Set(Array("(.012NJKMGXqrhj)tla]e}dsucQRbBCTU".utf8) + Array(0x80...0x81) + Array(0x85...0x8f) + Array(0x90...0x96))
        for opcode in UInt8.min...UInt8.max where !known.contains(opcode) {
            #expect(try fault(pickle: [0x80, 2, opcode])?.contains("opcode \(opcode)") == true)
        }
    }

    /// Programs that underflow, overrun, or have values of the wrong kind.
    private static let malformed: [(String, [UInt8])] = [
        ("nothing", []),
        ("no stop", [0x80, 2, 0x7d]),
        ("stop without a value", [0x80, 2] + Array(".".utf8)),
        ("pop without a value", Array("0.".utf8)),
        ("pop below a mark", Array("}(0".utf8)),
        ("tuple without a mark", Array("}t.".utf8)),
        ("three values where there is one", Array("}".utf8) + [0x87, 0x2e]),
        ("duplicate nothing", Array("2".utf8)),
        ("append to a dictionary", Array("}Na.".utf8)),
        ("append to nothing", Array("(e.".utf8)),
        ("odd number of items", Array("}(NNNu.".utf8)),
        ("items for a list", Array("](NNu.".utf8)),
        ("item for a list", Array("]NNs.".utf8)),
        ("odd dictionary", Array("(Nd.".utf8)),
        ("recall of nothing", Array("h".utf8) + [7]),
        ("recall of nothing, long", Array("j".utf8) + [0xff, 0xff, 0xff, 0xff]),
        ("store of nothing", Array("q".utf8) + [7]),
        ("text of 4 GiB", Array("X".utf8) + [0xff, 0xff, 0xff, 0xff]),
        ("text that is not UTF-8", Array("X".utf8) + [1, 0, 0, 0, 0xff] + Array(".".utf8)),
        ("number of 255 bytes", [0x8a, 255]),
        ("number cut off", [0x8a, 8, 1]),
        ("number too long", [0x8a, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x2e]),
        ("global without an end", Array("ccollections".utf8)),
        ("global of one line", Array("ccollections\n".utf8)),
        ("global without end", Array("c".utf8) + [UInt8](repeating: 0x61, count: 1000)),
        ("call of a number", Array("K".utf8) + [1] + Array(")R.".utf8)),
        ("call with a number", Array("ccollections\nOrderedDict\nK".utf8) + [1] + Array("R.".utf8)),
        ("ordered dictionary of something", Array("ccollections\nOrderedDict\n(NtR.".utf8)),
        ("tensor of nothing", Array("ctorch._utils\n_rebuild_tensor_v2\n)R.".utf8)),
        ("parameter of nothing", Array("ctorch._utils\n_rebuild_parameter\n)R.".utf8)),
        ("parameter of a number", Array("ctorch._utils\n_rebuild_parameter\n(NtR.".utf8)),
        ("size of nothing", Array("ctorch\nSize\n)R.".utf8)),
        ("call of a storage", Array("ctorch\nFloatStorage\n)R.".utf8)),
        ("persistent number", Array("NQ.".utf8)),
        ("persistent tuple of two", Array("NN".utf8) + [0x86] + Array("Q.".utf8)),
        ("state for a number", Array("NNb.".utf8)),
        ("a number", Array("N.".utf8)),
        ("a list", Array("].".utf8)),
        ("an empty dictionary", Array("}.".utf8)),
        ("protocol 4", [0x80, 4, 0x7d, 0x2e]),
        ("protocol cut off", [0x80]),
        ("a hundred thousand marks", [UInt8](repeating: 0x28, count: 100_000)),
        ("a hundred thousand values", [UInt8](repeating: 0x4e, count: 100_000)),
        ("17 MiB", [UInt8](repeating: 0x4e, count: 17 << 20)),
    ]

    @Test(arguments: malformed.indices) func malformedPicklesAreRefused(index: Int) throws {
        let (what, pickle) = Self.malformed[index]
        let message = try fault(pickle: pickle)
        #expect(message != nil && message?.hasPrefix("not a fault") == false, "\(what)")
    }

    @Test func aListInsideItselfAndDeepNestingEnd() throws {
        // A list that contains itself, then half a million nested lists: each is put into the next through the memo.
        var pickle = PickleBuilder()
        pickle.bytes += Array("]q".utf8) + [0] + Array("h".utf8) + [0] + Array("a0".utf8)
        pickle.bytes += Array("]q".utf8) + [1] + Array("0".utf8)
        for _ in 0..<500_000 { pickle.bytes += Array("]h".utf8) + [1] + Array("aq".utf8) + [1] + Array("0".utf8) }
        pickle.opcode("}")
        pickle.text("weight")
        pickle.tensor(Self.weight)
        pickle.bytes += Array("s.".utf8)
        #expect(try fault(pickle: pickle.bytes) == nil)
    }

    @Test func aRepeatedHugeShapeIsRefused() throws {
        // One long tuple as shape of many tensors would be copied for each.
        var pickle = PickleBuilder()
        pickle.opcode("(")
        for _ in 0..<60_000 { pickle.bytes += Array("K".utf8) + [1] }
        pickle.bytes += Array("tq".utf8) + [9] + Array("0".utf8)
        var tensor = Self.weight
        tensor.shape = []
        pickle.tensor(tensor)
        let shape: [UInt8] = Array("(t".utf8)
        let position = try #require(pickle.bytes.firstRange(of: shape))
        pickle.bytes.replaceSubrange(position, with: Array("h".utf8) + [9])
        pickle.opcode(".")
        #expect(try fault(pickle: pickle.bytes)?.contains("corrupt") == true)
    }

    @Test func tensorsOutsideTheirStorageAreRefused() throws {
        let cases: [(String, (inout TorchBuilder.Tensor) -> Void)] = [
            ("offset", { $0.offset = 1 }),
            ("offset -1", { $0.offset = -1 }),
            ("offset 2^63 - 1", { $0.offset = .max }),
            ("one row more", { $0.shape = [3, 3] }),
            ("negative dimension", { $0.shape = [-2, -3] }),
            ("dimension 2^62", { $0.shape = [1 << 62, 1 << 62] }),
            ("stride 2^62", { $0.strides = [1 << 62, 1] }),
            ("negative stride", { $0.strides = [-3, 1] }),
            ("a stride less", { $0.strides = [1] }),
            (
                "broadcast to 2^40 elements",
                {
                    $0.shape = [1 << 40]
                    $0.strides = [0]
                }
            ),
            (
                "broadcast beyond its storage",
                {
                    $0.shape = [4, 7]
                    $0.strides = [0, 1]
                }
            ),
            (
                "nine dimensions",
                {
                    $0.shape = [1, 1, 1, 1, 1, 1, 1, 2, 3]
                    $0.strides = [6, 6, 6, 6, 6, 6, 6, 3, 1]
                }
            ),
            ("more elements than data", { $0.elements = 7 }),
            ("2^62 elements", { $0.elements = 1 << 62 }),
            ("-1 elements", { $0.elements = -1 }),
            ("storage of another width", { $0.storage = "DoubleStorage" }),
            ("unknown storage", { $0.storage = "ComplexFloatStorage" }),
        ]
        for (what, change) in cases {
            let message = try fault(change)
            #expect(message != nil && message?.hasPrefix("not a fault") == false, "\(what)")
        }
        #expect(try fault { _ in } == nil)
    }
}
