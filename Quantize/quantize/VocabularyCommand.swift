import ArgumentParser
import CSystem
import Calibrate
import Checkpoint
import Foundation
import Kernels
import ModelFormat
import System
import Text

/// `quantize vocab`: class names to a vocabulary file.
struct VocabularyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vocab",
        abstract: "Makes a vocabulary file: class names and their text embeddings.",
        discussion: """
            Every name is put into FC-CLIP's 14 prompt templates and encoded by the checkpoint's CLIP. The vocabulary fits all models made from the \
            same CLIP. A class with several names is found under any of them.

            The name list (UTF-8) has one class a line, # at a line's start for comments:

              [id:]name,synonym,...[TAB thing|stuff][TAB #rrggbb]

              person,man,woman
              traffic light
              sky,clouds<TAB>stuff<TAB>#70b0ff

            Each instance of a thing (the default) is a segment; stuff is one segment. Classes without a colour get one. FC-CLIP's name lists \
            (id:name,name,...) can be used unchanged; lines named invalid_class_id are skipped.

            FC-CLIP gives its trained classifier more weight for classes seen in training, and CLIP more weight for others. A class counts as seen when \
            one of its names equals a name of the training set (COCO panoptic), letter for letter. Write names in lower case.
            """)

    @Option(help: ArgumentHelp("FC-CLIP checkpoint with CLIP in it: PyTorch (.pth, .pt, .bin) or .safetensors.", valueName: "file"))
    var checkpoint: String?

    @Option(
        help: ArgumentHelp(
            "CLIP: open_clip's file, OpenAI's such as RN50.pt, or one with the text encoder only; the trained head is not needed.", valueName: "file"))
    var clip: String?

    @Option(
        help: ArgumentHelp(
            "The text encoder's merges file (CLIP's: bpe_simple_vocab_16e6.txt or .txt.gz; Calibration/Vocabularies/tokenizer fetches it), or a tokenizer.json.",
            valueName: "file"))
    var tokenizer: String

    @Option(
        help: ArgumentHelp(
            """
            The text encoder's activation, which its tensors do not tell. The default is quickgelu for the CLIP of a ResNet, whose weights are OpenAI's, and \
            gelu for that of a ConvNeXt and for a text encoder alone.
            """, valueName: "name"))
    var textActivation: TextArchitecture.Activation?

    @Option(help: ArgumentHelp("A name list.", valueName: "file"))
    var names: String?

    @Argument(help: ArgumentHelp("Further names, written like lines of the list: \"a purple star\" car,automobile", valueName: "name"))
    var typed: [String] = []

    @Option(help: ArgumentHelp("Name list of the training set, for networks not trained on COCO panoptic.", valueName: "file"))
    var trainingNames: String?

    @Option(help: ArgumentHelp("The vocabulary file to write.", valueName: "file.gguf"))
    var output: String

    func validate() throws {
        guard checkpoint != nil || clip != nil else { throw ValidationError("pass a file with CLIP's text encoder: --clip or --checkpoint") }
        guard names != nil || !typed.isEmpty else { throw ValidationError("no names: pass them as arguments, or a name list with --names") }
    }

    func run() throws {
        var claims = FileClaims()
        for (name, path) in [
            ("--checkpoint", checkpoint), ("--clip", clip), ("--tokenizer", tokenizer), ("--names", names), ("--training-names", trainingNames),
        ] {
            if let path { claims.read(path, as: name) }
        }
        claims.write(output, as: "--output")
        try claims.check()
        // Small files first, so that mistakes in them show at once.
        let list = try NameList(path: names, typed: typed)
        let training = if let trainingNames { try NameList(path: trainingNames) } else { NameList.cocoPanoptic }
        let start = Date()
        let builder = try VocabularyBuilder(
            checkpoint: Checkpoint(textEncoderIn: [checkpoint, clip].compactMap(\.self)), tokenizer: tokenizer, activation: textActivation)
        for warning in list.warnings + builder.warnings(about: list) { Talk.line("quantize: warning: \(warning)") }
        let summary = try builder.write(list, training: training, to: output) { fraction in
            Talk.progress("encoded \(Int(fraction * 100))% of \(list.names.count) names", isFinal: fraction >= 1)
        }
        Talk.line(
            """
            \(output): \(summary.categories) classes (\(summary.things) things, \(summary.seen) trained on), \(summary.names) names, \
            embeddings \(summary.embeddingWidth) wide (\(summary.activation.rawValue)), \(summary.prompts) prompts in \(Talk.seconds(Date().timeIntervalSince(start)))
            """)
    }
}

extension TextArchitecture.Activation: ExpressibleByArgument {}
