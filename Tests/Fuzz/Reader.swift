import Checkpoint
import Evaluate
import Foundation
import Kernels
import ModelFormat
import System
import TestSupport
import Text

/// The fuzzed readers: how a case is made from its number, and how it is read.
enum Reader: String, CaseIterable {
    /// Whole zip archives.
    case zip
    /// Pickles inside well-formed archives with right checksums.
    case pickle
    case safetensors
    /// GGUF with outdated checksums; a changed file must be refused.
    case gguf
    /// GGUF whose checksums match the changes.
    case sealed
    case vocabulary
    case model
    /// Raw frames in a row.
    case frames
    /// JPEG pictures in a row.
    case pictures
    /// Name lists.
    case names
    /// Annotations: instances, and panoptic ones without their maps.
    case coco

    /// Deterministic in `number`.
    func make(_ number: Int, _ seeds: SeedFiles) -> [UInt8] {
        let salt = UInt64(Reader.allCases.firstIndex(of: self)!) << 56
        var mutator = Mutator(seed: salt | UInt64(number))
        switch self {
        case .zip:
            let files = seeds.archives
            return mutator.mutate(files[mutator.number(below: files.count)], with: files)
        case .pickle:
            let pickles = seeds.pickles
            let index = mutator.number(below: pickles.count)
            var builder = Seeds.torch[index]
            builder.pickle = mutator.mutate(pickles[index], with: pickles)
            return builder.bytes()
        case .safetensors:
            let seed = Seeds.safetensors[mutator.number(below: Seeds.safetensors.count)]
            let file = SafeTensorsBuilder.bytes(String(decoding: seed.header, as: UTF8.self), data: [UInt8](repeating: 1, count: seed.data))
            if mutator.number(below: 3) == 0 { return mutator.mutate(file, with: [file]) }
            let header = mutator.mutate(seed.header, with: Seeds.safetensors.map(\.header))
            return .little([UInt64(header.count)]) + header + [UInt8](repeating: 1, count: seed.data)
        case .gguf:
            let files = [seeds.gguf, seeds.vocabulary, seeds.model]
            return mutator.mutate(files[mutator.number(below: files.count)], with: files)
        case .sealed:
            return Seeds.resealed(mutator.mutate(seeds.gguf, with: [seeds.vocabulary], keepingLength: true), like: seeds.gguf, tensorSizes: [24, 5])
        case .vocabulary:
            return Seeds.resealed(mutator.mutate(seeds.vocabulary, with: [seeds.gguf], keepingLength: true), like: seeds.vocabulary, tensorSizes: [24])
        case .model:
            return Seeds.resealed(mutator.mutate(seeds.model, with: [seeds.gguf], keepingLength: true), like: seeds.model, tensorSizes: [8])
        case .frames:
            return mutator.mutate(Streams.raw[mutator.number(below: Streams.raw.count)], with: Streams.raw)
        case .pictures:
            var stream: [UInt8] = []
            for _ in 0...mutator.number(below: 4) {
                let picture = seeds.pictures[mutator.number(below: seeds.pictures.count)]
                stream += mutator.number(below: 3) == 0 ? picture : mutator.mutate(picture, with: seeds.pictures)
            }
            return Array("mjpeg\n".utf8) + stream
        case .names:
            return mutator.mutate(Seeds.names[mutator.number(below: Seeds.names.count)], with: Seeds.names)
        case .coco:
            return mutator.mutate(Seeds.coco[mutator.number(below: Seeds.coco.count)], with: Seeds.coco)
        }
    }

    /// Reads the whole file. - Throws: a fault; any other outcome is a finding.
    func read(_ path: String, bytes: [UInt8], _ seeds: SeedFiles) throws {
        switch self {
        case .zip, .pickle, .safetensors:
            let file = try TensorFile.open(path: path)
            var sum: Float = 0
            for name in file.names {
                guard let tensor = file.tensor(name) else { continue }
                try file.verify(tensor)
                sum += tensor.withFloats { $0.reduce(0, +) } + tensor.floats().reduce(0, +)
                tensor.release()
            }
            _ = try file.contentHash()
            _ = try Checkpoint(checkpoint: path, clip: nil).architecture()
            if sum == 1e-30 { print(sum) }
        case .gguf, .sealed:
            let file = try GGUF(path: path)
            for key in file.keys {
                _ = try file.describe(key)
                for access in [
                    { _ = try file.integers(key) }, { _ = try file.floats(key) }, { _ = try file.strings(key) }, { _ = try file.bools(key) },
                    { _ = try file.integer(key) }, { _ = try file.float(key) }, { _ = try file.string(key) }, { _ = try file.bool(key) },
                ] {
                    try? access()
                }
            }
            try file.requireChecksums()
            for tensor in file.tensors { try file.verify(tensor) }
            let changed = ![seeds.gguf, seeds.vocabulary, seeds.model].contains(bytes)
            if self == .gguf, changed { fatalError("a damaged file passed") }
        case .vocabulary:
            let vocabulary = try Vocabulary(path: path)
            let reach = vocabulary.categories.reduce(0) { $0 + vocabulary.names[$1.firstName..<$1.firstName + $1.nameCount].count }
            precondition(reach == vocabulary.names.count && vocabulary.embeddings.rows == reach)
        case .model:
            let model = try ModelFile(path: path)
            for tensor in model.file.tensors { try model.file.verify(tensor) }
        case .frames, .pictures: try Streams.read(path)
        case .names:
            let list = try NameList(path: path)
            precondition(!list.categories.isEmpty)
            for name in list.names {
                // Joiners belong to words of some scripts.
                let visible = String(String.UnicodeScalarView(name.unicodeScalars.filter { $0 != "\u{200C}" && $0 != "\u{200D}" }))
                precondition(!name.isEmpty && name.count <= NameList.longestName && printable(visible) == visible)
            }
        case .coco:
            // An accepted file is complete: truncated files are refused.
            let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            let data: any Dataset
            do throws(Fault) { data = try CocoInstances(path: path, pictures: "p") } catch { data = try CocoPanoptic(path: path, pictures: "p") }
            precondition(text.hasSuffix("}"), "a file that was cut off passed")
            let folder = try TemporaryFolder()
            let vocabulary = try Vocabulary(path: try folder.file("v.gguf", seeds.vocabulary))
            let matching = try ClassMatching(data.categories, vocabulary.categories, names: vocabulary.names, by: .name)
            for index in data.pictures.indices { _ = try data.truth(index, size: Size(height: 4, width: 5), matching: matching) }
        }
    }
}

/// The seeds as bytes, made once a process.
struct SeedFiles {
    let archives: [[UInt8]]
    let pickles: [[UInt8]]
    let gguf: [UInt8]
    let vocabulary: [UInt8]
    let model: [UInt8]
    let pictures: [[UInt8]]

    init() throws {
        archives = Seeds.torch.map { $0.bytes() }
        pickles = Seeds.torch.map { $0.pickleBytes() }
        gguf = try Seeds.gguf()
        vocabulary = try Seeds.vocabulary()
        model = try Seeds.model()
        pictures = try Streams.pictures()
    }
}
