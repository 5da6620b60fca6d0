import CSystem
import System

/// FC-CLIP's tensors under upstream's names in the one-file layout, from one file or two.
///
/// The released files hold the trained head only (`sem_seg_head.*`, `void_embedding.weight`); the frozen CLIP is a file of
/// open_clip or OpenAI. Training with upstream's code saves both in one file. Names of a CLIP's file get the prefix
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

    /// - Parameter checkpoint: path of the head's file or of the one file with everything.
    /// - Parameter clip: path of CLIP's file, where `checkpoint` holds the head only.
    /// - Throws: when a file cannot be read, when a part is missing or there twice, when CLIP's picture encoder is neither a ConvNeXt nor a ResNet, or
    ///   when the head was trained on another CLIP.
    public convenience init(checkpoint: String, clip: String?) throws(Fault) {
        try self.init(paths: [checkpoint] + (clip.map { [$0] } ?? [])) { parts, shapes throws(Fault) in
            if let path = parts[.clip] { try Self.checkClip(path, shapes) }
            switch (parts[.head], parts[.clip]) {
            case (nil, let path?):
                throw Fault("\(path): holds only CLIP; the trained segmentation head (fcclip_cocopan.pth) is missing: pass it with --checkpoint")
            case (let path?, nil): throw Fault("\(path): holds only the trained segmentation head; \(Self.clipRemedy(shapes))")
            default: return
            }
        }
    }

    /// For `textArchitecture` and the text encoder only: any files that hold CLIP's text encoder, with or without the rest.
    /// - Throws: when a file cannot be read, when a part is there twice, or when there is no text encoder.
    public convenience init(textEncoderIn paths: [String]) throws(Fault) {
        try self.init(paths: paths) { _, shapes throws(Fault) in
            guard shapes[UpstreamNames.tokenEmbedding] != nil else {
                throw Fault("\(paths.joined(separator: ", ")): CLIP's text encoder is not in there; \(Self.clipRemedy(shapes))")
            }
        }
    }

    private typealias Shapes = [String: [Int]]

    private init(paths: [String], _ check: ([Part: String], Shapes) throws(Fault) -> Void) throws(Fault) {
        var locations: [String: Location] = [:]
        var files: [TensorFile] = []
        var parts: [Part: String] = [:]
        for path in paths {
            let file = try TensorFile.open(path: path)
            files.append(file)
            let tensors = Self.renamed(file)
            guard !tensors.isEmpty else { throw Self.foreign(file) }
            for (name, tensor) in tensors {
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
        let shapes = locations.mapValues(\.tensor.shape)
        try Self.checkFit(parts, shapes)
        try check(parts, shapes)
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

    // MARK: - Checks

    /// A file without any tensor that belongs here.
    private static func foreign(_ file: TensorFile) -> Fault {
        let first = file.names.prefix(3).map(abbreviated).joined(separator: ", ") + (file.names.count > 3 ? ", ..." : "")
        let hint = file.names.contains { $0.hasSuffix("layer1.0.conv1.weight") } ? "; this is a ResNet without CLIP, as torchvision's" : ""
        return Fault("\(file.path): no tensor of FC-CLIP or of open_clip's CLIP is among the \(file.names.count) in there: \(first)\(hint)")
    }

    /// - Throws: when a part of CLIP is missing.
    private static func checkClip(_ path: String, _ shapes: Shapes) throws(Fault) {
        let hasText = shapes[UpstreamNames.tokenEmbedding] != nil
        let isResNet = shapes[UpstreamNames.resNetStem(0) + ".weight"] != nil
        guard hasText, isResNet || shapes[UpstreamNames.trunk + "stem.0.weight"] != nil else {
            throw Fault("\(path): holds only \(hasText ? "CLIP's text encoder" : "CLIP's picture encoder"); FC-CLIP needs both, as in open_clip's own file")
        }
        guard !isResNet || shapes.keys.contains(where: { $0.hasPrefix(UpstreamNames.attentionPool) }) else {
            throw Fault("\(path): CLIP's attention pooling (visual.attnpool) is missing; FC-CLIP needs it, as in open_clip's own file")
        }
    }

    /// - Throws: when CLIP's picture encoder is of a kind that FC-CLIP does not use, or when head and CLIP are from different files and do not belong
    ///   together.
    private static func checkFit(_ parts: [Part: String], _ shapes: Shapes) throws(Fault) {
        let transformers = ["transformer.", "trunk.blocks."].map { UpstreamNames.visual + $0 }
        if let path = parts[.clip], shapes.keys.contains(where: { name in transformers.contains { name.hasPrefix($0) } }) {
            throw Fault("\(path): a CLIP with a vision transformer; FC-CLIP needs one with a ConvNeXt or a ResNet")
        }
        guard let head = parts[.head], let clip = parts[.clip], head != clip, let needed = ClipFamily(head: { shapes[$0] }),
            let given = ClipFamily(clip: { shapes[$0] }), given != needed
        else { return }
        let remedy = needed.source.map { "; pass CLIP with --clip: \($0)" } ?? ""
        throw Fault("\(head): the head was trained on \(needed.description), but \(clip) is \(given.description)\(remedy)")
    }

    /// What to do if the head's CLIP is missing.
    private static func clipRemedy(_ shapes: Shapes) -> String {
        guard let family = ClipFamily(head: { shapes[$0] }) else { return "pass the head's CLIP with --clip, such as open_clip's open_clip_model.safetensors" }
        return "pass CLIP with --clip: \(family.source ?? "open_clip's file of " + family.description)"
    }
}
