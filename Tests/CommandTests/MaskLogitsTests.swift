import Foundation
import Kernels
import System
import TestSupport
import Testing

@testable import Evaluate

/// Mask logits as a file: NumPy reads it, the segments agree with it, and all kernel sets give the same bytes.
@Suite struct MaskLogitsTests {
    /// An array as NumPy's format defines it (numpy.lib.format, version 1.0).
    private struct Array3 {
        let header: String
        let shape: [Int]
        let values: [Float]

        init(_ path: String) throws {
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
            try #require(bytes.count >= 10 && Array(bytes[..<8]) == [0x93] + Array("NUMPY".utf8) + [1, 0])
            let start = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
            try #require(start % 64 == 0 && bytes.count > start && (bytes.count - start) % 4 == 0 && bytes[start - 1] == 0x0A)
            header = String(decoding: bytes[10..<start], as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            let match = try #require(header.wholeMatch(of: /\{'descr': '<f4', 'fortran_order': False, 'shape': \((\d+), (\d+), (\d+)\), \}/), "\(header)")
            shape = [Int(match.1)!, Int(match.2)!, Int(match.3)!]
            values = stride(from: start, to: bytes.count, by: 4).map { index in
                Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[index + $1]) << UInt32(8 * $1) })
            }
            try #require(values.count == shape.reduce(1, *))
        }
    }

    private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }

    /// 420x300 becomes 179x128 of 192x128: 20 queries, a quarter of that.
    @Test func isAnArrayOfQueriesRowsAndColumns() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let result = try tiny.segment(["--image", try TinyModel.picture.get(), "--logits", folder.path("logits.npy")])
        // As with any other output, lines must be requested.
        #expect(result.status == 0 && result.output.isEmpty, "\(result.errors)")
        #expect(try folder.contents() == ["logits.npy"])
        let logits = try Array3(folder.path("logits.npy"))
        #expect(logits.shape == [20, 32, 48])
        #expect(logits.values.allSatisfy { $0.isFinite })
        #expect(logits.values.contains { $0 > 0 } && logits.values.contains { $0 < 0 })
    }

    @Test func opensWithNumPy() throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        #expect(try tiny.segment(["--image", try TinyModel.picture.get(), "--logits", folder.path("logits.npy")]).status == 0)
        let script = """
            import sys, numpy
            a = numpy.load(sys.argv[1], allow_pickle=False)
            print(a.shape, a.dtype.str, a.flags.c_contiguous, a[3, 5, 7].tobytes().hex())
            """
        let python = Process()
        let pipe = Pipe()
        python.executableURL = URL(filePath: "/usr/bin/env")
        python.arguments = ["python3", "-c", script, folder.path("logits.npy")]
        python.standardOutput = pipe
        try python.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        python.waitUntilExit()
        #expect(python.terminationStatus == 0, "python3 needs NumPy, which PyPI's gguf brings: python3 -m pip install gguf")
        let value = try Array3(folder.path("logits.npy")).values[(3 * 32 + 5) * 48 + 7].bitPattern.byteSwapped
        let digits = String(value, radix: 16)
        #expect(String(decoding: output, as: UTF8.self) == "(20, 32, 48) <f4 True \(String(repeating: "0", count: 8 - digits.count))\(digits)\n")
    }

    /// Every kernel set that this processor has; `Boards/same-bytes` compares those of boards, too. Other outputs do not change the logits.
    @Test(arguments: KernelSet.all.filter(\.isSupported).map { "\($0.name)" }) func bytesDoNotDependOnKernels(name: String) throws {
        let tiny = try TinyModel.shared.get()
        let folder = try TemporaryFolder()
        let picture = try TinyModel.picture.get()
        func logits(_ arguments: [String]) throws -> Data {
            let result = try tiny.segment(["--image", picture, "--logits", folder.path("logits.npy")] + arguments)
            #expect(result.status == 0, "\(result.errors)")
            return try bytes(folder.path("logits.npy"))
        }
        let reference = try logits(["--instruction-set", "scalar", "--threads", "1"])
        for (task, threads) in [("panoptic", "1"), ("semantic", "2"), ("instance", "3")] {
            #expect(try logits(["--instruction-set", name, "--threads", threads, "--task", task]) == reference, "\(name), \(task), \(threads) threads")
        }
    }

    /// One file a picture, each the same as alone.
    @Test func foldersGetAFileAPicture() throws {
        let tiny = try TinyModel.shared.get()
        let pictures = try TemporaryFolder()
        let folder = try TemporaryFolder()
        for name in ["synth_420x300.jpg", "synth_161x97.png", "one_pixel.png"] {
            try FileManager.default.copyItem(atPath: try Fixture.path("pictures/" + name), toPath: pictures.path(name))
        }
        let result = try tiny.segment(["--image", pictures.path, "--logits", folder.path("logits"), "--labels", folder.path("labels")])
        #expect(result.status == 0, "\(result.errors)")
        for name in try pictures.contents() {
            #expect(try tiny.segment(["--image", pictures.path(name), "--logits", folder.path("alone.npy")]).status == 0)
            #expect(try bytes(folder.path("logits/\(name).npy")) == bytes(folder.path("alone.npy")), "\(name)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("logits")).count == 3)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("labels")).count == 3)
    }

    /// A query's logits are positive on its segment, and hardly elsewhere.
    @Test func segmentsAreWhereLogitsArePositive() throws {
        let folder = try TemporaryFolder()
        let picture = try #require(try DemoModel.pictures().first)
        let result = try Program.edge.run([
            "--model", DemoModel.path("model.gguf"), "--vocab", DemoModel.path("vocabulary.gguf"), "--image", DemoModel.path("pictures/" + picture.name),
            "--json", "-", "--logits", folder.path("logits.npy"),
        ])
        #expect(result.status == 0, "\(result.errors)")
        let segments = try JSONDecoder().decode(MainJobTests.Line.self, from: Data(result.output.utf8)).segments
        let logits = try Array3(folder.path("logits.npy"))
        let (height, width) = (logits.shape[1], logits.shape[2])
        #expect(picture.size.height == 4 * height && picture.size.width == 4 * width, "\(logits.shape)")
        let masks = (0..<logits.shape[0]).map { query in
            var mask = BitMask(size: picture.size)
            for pixel in 0..<picture.size.area {
                let row = pixel / picture.size.width / 4
                let column = pixel % picture.size.width / 4
                if logits.values[(query * height + row) * width + column] > 0 { mask.insert(pixel) }
            }
            return mask
        }
        #expect(segments.count > 3)
        for segment in segments {
            let mask = try CocoMask.text(segment.rle.counts, size: segment.rle.size).mask(picture.size, place: picture.name)
            let best = masks.map { $0.overlap(mask, isCrowd: false) }.max() ?? 0
            #expect(best > 0.7, "\(segment.name): \(best)")
        }
    }
}
