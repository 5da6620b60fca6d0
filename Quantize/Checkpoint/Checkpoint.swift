import CSystem
import System

/// FC-CLIP's tensors under upstream's names in the one-file layout, from one file or two.
///
/// The released file holds the trained head only (`sem_seg_head.*`, `void_embedding.weight`); the frozen CLIP is a file of
/// open_clip. Training with upstream's code saves both in one file. Names of an open_clip file get the prefix
/// `backbone.clip_model.`. Prefixes of wrappers (`module.`, `model.`, `_orig_mod.`) are dropped.
public final class Checkpoint {
    private struct Location {
        let file: TensorFile
        let tensor: StoredTensor
    }

    /// Every tensor's name, sorted.
    public let names: [String]
    /// The files with their content hashes (`TensorFile.contentHash`).
    public let sources: [(path: String, hash: String)]

    private let locations: [String: Location]

    private static let clipRemedy =
        "pass CLIP with --clip: open_clip_model.safetensors or open_clip_pytorch_model.bin from huggingface.co/laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup"

    /// - Parameter checkpoint: path of the head's file or of the one file with everything.
    /// - Parameter clip: path of open_clip's file, where `checkpoint` holds the head only.
    /// - Throws: when a file cannot be read, when a part is missing or there twice, or when CLIP's picture encoder is not a ConvNeXt.
    public convenience init(checkpoint: String, clip: String?) throws(Fault) {
        let paths = [checkpoint] + (clip.map { [$0] } ?? [])
        try self.init(paths: paths) { parts, names throws(Fault) in try Self.check(parts, names, paths) }
    }

    /// For `textArchitecture` and the text encoder only: any files that hold CLIP's text encoder, with or without the rest.
    /// - Throws: when a file cannot be read, when a part is there twice, or when there is no text encoder.
    public convenience init(textEncoderIn paths: [String]) throws(Fault) {
        try self.init(paths: paths) { _, names throws(Fault) in
            guard names.contains(UpstreamNames.tokenEmbedding) else {
                throw Fault("\(paths.joined(separator: ", ")): CLIP's text encoder is not in there; \(Self.clipRemedy)")
            }
        }
    }

    private init(paths: [String], _ check: ([Part: String], Set<String>) throws(Fault) -> Void) throws(Fault) {
        var locations: [String: Location] = [:]
        var files: [TensorFile] = []
        var parts: [Part: String] = [:]
        for path in paths {
            let file = try TensorFile.open(path: path)
            files.append(file)
            for (name, tensor) in Self.renamed(file) {
                guard let part = Part(name) else { continue }
                if let other = parts[part], other != path {
                    throw Fault("\(path): \(part.description) is already in \(other); give it once")
                }
                parts[part] = path
                guard locations.updateValue(Location(file: file, tensor: tensor), forKey: name) == nil else {
                    throw Fault("\(path): tensor \(abbreviated(name)) occurs twice")
                }
            }
        }
        if parts.isEmpty {
            let names = files.flatMap(\.names)
            throw Fault(
                "\(paths.joined(separator: ", ")): no tensor of FC-CLIP or of open_clip's CLIP is among the \(names.count) in there: \(names.prefix(3).map(abbreviated).joined(separator: ", "))\(names.count > 3 ? ", ..." : "")"
            )
        }
        try check(parts, Set(locations.keys))
        var sources: [(path: String, hash: String)] = []
        for file in files { sources.append((file.path, try file.contentHash())) }
        self.sources = sources
        self.locations = locations
        names = locations.keys.sorted()
    }

    public func has(_ name: String) -> Bool {
        locations[name] != nil
    }

    /// Outermost dimension first; nil where there is no such tensor.
    public func shape(_ name: String) -> [Int]? {
        locations[name]?.tensor.shape
    }

    /// The tensor, compared with its container's checksum on first use.
    /// - Throws: when it is missing or damaged.
    public func tensor(_ name: String) throws(Fault) -> StoredTensor {
        guard let location = locations[name] else { throw missing(name) }
        try location.file.verify(location.tensor)
        return location.tensor
    }

    func missing(_ name: String) -> Fault {
        Fault("\(paths): tensor \(abbreviated(name)) is missing")
    }

    /// The files, for faults.
    var paths: String {
        sources.map(\.path).joined(separator: " + ")
    }

    // MARK: - Parts

    private enum Part: Hashable {
        case head, clip

        init?(_ name: String) {
            if name.hasPrefix(UpstreamNames.clip) {
                self = .clip
            } else if name.hasPrefix(UpstreamNames.head) || name == UpstreamNames.voidEmbedding {
                self = .head
            } else {
                return nil
            }
        }

        var description: String {
            switch self {
            case .head: "the segmentation head"
            case .clip: "CLIP"
            }
        }
    }

    /// Prefixes that parallel training, Lightning and torch.compile add to names.
    private static let wrappers = ["module.", "model.", "_orig_mod."]

    /// A tensor's one-file name; nil where it is none of FC-CLIP's or CLIP's.
    private static func oneFileName(_ stored: String) -> String? {
        let clipRoots = ["visual.", "transformer.", "token_embedding.", "ln_final."]
        let clipNames: Set = ["positional_embedding", "text_projection", "logit_scale"]
        // Compiled modules may lie within others.
        var name = stored.replacing("._orig_mod.", with: ".")
        while true {
            if clipNames.contains(name) || clipRoots.contains(where: { name.hasPrefix($0) }) { return UpstreamNames.clip + name }
            if Part(name) != nil { return name }
            guard let wrapper = wrappers.first(where: { name.hasPrefix($0) }) else { return nil }
            name.removeFirst(wrapper.count)
        }
    }

    /// The file's tensors under one-file names, without those that inference does not use.
    private static func renamed(_ file: TensorFile) -> [(String, StoredTensor)] {
        let unused: Set = ["input_resolution", "context_length", "vocab_size", "attn_mask"]
        var result: [(String, StoredTensor)] = []
        for stored in file.names {
            guard var tensor = file.tensor(stored), let name = oneFileName(stored) else { continue }
            if name.hasSuffix(".num_batches_tracked") || unused.contains(String(name.split(separator: ".").last ?? "")) { continue }
            tensor.name = name
            result.append((name, tensor))
        }
        return result
    }

    private static func check(_ parts: [Part: String], _ names: Set<String>, _ paths: [String]) throws(Fault) {
        if let path = parts[.clip] {
            let visual = UpstreamNames.visual
            let both = names.contains(UpstreamNames.tokenEmbedding)
            if names.contains(where: { $0.hasPrefix(visual + "transformer.") || $0.hasPrefix(visual + "trunk.blocks.") }) {
                throw Fault("\(path): a CLIP with a vision transformer; FC-CLIP needs one with a ConvNeXt or a ResNet")
            }
            guard both, names.contains(visual + "trunk.stem.0.weight") || names.contains(UpstreamNames.resNetStem(0) + ".weight") else {
                throw Fault("\(path): holds only \(both ? "CLIP's text encoder" : "CLIP's picture encoder"); FC-CLIP needs both, as in open_clip's own file")
            }
        }
        switch (parts[.head], parts[.clip]) {
        case (nil, nil): return
        case (nil, let path?):
            throw Fault("\(path): holds only CLIP; the trained segmentation head (fcclip_cocopan.pth) is missing: pass it with --checkpoint")
        case (let path?, nil):
            throw Fault("\(path): holds only the trained segmentation head; \(clipRemedy)")
        case (_?, _?): return
        }
    }
}
